import LarderTestSupport
import Testing

@testable import LarderClient

/// Tags are read from any text within bounds, and damage is told with its line.
@Suite struct XMLTagsTests {
    /// Tags as `<name a=value>`, with the attributes that are asked for.
    private func read(_ text: String, _ attributes: [String] = []) throws -> [String] {
        var tags = XMLTags(Array(text.utf8))
        var result: [String] = []
        while let event = try tags.next() {
            switch event {
            case .open(let name):
                let values = attributes.compactMap { name in tags.attribute(name).map { " \(name)=\($0)" } }
                result.append("<\(name)\(values.joined())>")
            case .close(let name): result.append("</\(name)>")
            }
        }
        return result
    }

    @Test func everythingButTagsIsPassedOver() throws {
        let text = """
            \u{feff}<?xml version="1.0"?>
            <!DOCTYPE a SYSTEM "x>y" [ <!ENTITY e "<b>&e;&e;"> <!-- ]> --> <!ELEMENT a ANY> ]>
            <!-- <no> -- > -->
            <p:a x='1' n:y = "2">text &amp; ]]> <![CDATA[<no>]]> <?php <no> ?><b/><b c="&e;"></b ></p:a>
            <!-- end -->

            """
        #expect(
            try read(text, ["x", "y", "c"]) == ["<a x=1 y=2>", "<b>", "</b>", "<b c=&e;>", "</b>", "</a>"]
        )
    }

    @Test(arguments: [
        ("&lt;&gt;&amp;&quot;&apos;", "<>&\"'"), ("&#65;&#x42;&#x1F600;", "AB😀"), ("&e;", "&e;"), ("&", "&"),
        ("&amp", "&amp"), ("&#;&#x;&#xD800;&#99999999;", "&#;&#x;&#xD800;&#99999999;"), ("&amp;lt;", "&lt;"),
        ("é", "é"),
    ])
    func entitiesInValuesAreRead(text: String, value: String) throws {
        #expect(try read("<a x=\"\(text)\"/>", ["x"]).first == "<a x=\(value)>")
    }

    @Test(arguments: [
        ("", 1), ("text", 1), ("<a>", 1), ("<a>\n<b>\n</a>", 3), ("<a/>\n<b/>", 2), ("</a>", 1), ("<a", 1),
        ("<a x>", 1), ("<a x=1>", 1), ("<a x=\"1>", 1), ("<a x=\"1\"y=\"2\"/>", 1), ("<a x=\"<\"/>", 1), ("< a/>", 1),
        ("<1a/>", 1), ("<a/>\nrest", 2), ("<!-- x", 1), ("<a><![CDATA[x</a>", 1), ("<?xml", 1), ("<!DOCTYPE a [", 1),
        ("<a><!DOCTYPE a></a>", 1), ("<!x>", 1), ("<a></a x>", 1), ("\u{0}<a/>", 1),
    ])
    func damageIsToldWithItsLine(text: String, line: Int) {
        let error = #expect(throws: XMLError.self) { try read(text) }
        #expect(error?.line == line, "\(error?.description ?? "")")
    }

    @Test func nestingIsBounded() throws {
        let depth = XMLTags.depthMax
        let text = String(repeating: "<a>", count: depth) + String(repeating: "</a>", count: depth)
        #expect(try read(text).count == depth * 2)
        #expect(throws: XMLError.self) { try read("<a>\(text)</a>") }
    }

    @Test func damagedTextsEndInAnError() throws {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        let original = Array(
            "<?xml?><!DOCTYPE a [<!x 'y'>]><a b=\"&lt;\"><!-- x --><c/><![CDATA[d]]><e f='g'>h</e></a>".utf8
        )
        var readCount = 0
        for _ in 0..<20_000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                if Bool.random(using: &generator) {
                    bytes[place] = "<>/!-[]?&;'\"= a\u{0}".utf8.randomElement(using: &generator) ?? 0
                } else {
                    bytes.removeSubrange(place..<min(place + 3, bytes.count))
                }
            }
            var tags = XMLTags(bytes)
            var (depth, count) = (0, 0)
            do {
                while let event = try tags.next() {
                    if case .open = event { depth += 1 } else { depth -= 1 }
                    count += 1
                    _ = tags.attribute("b")
                }
                #expect(depth == 0 && count > 0 && count.isMultiple(of: 2), "LARDER_TEST_SEED=\(seed)")
                readCount += 1
            } catch {
                #expect(error.line == 1, "LARDER_TEST_SEED=\(seed)")
            }
        }
        #expect(readCount > 100)
    }
}
