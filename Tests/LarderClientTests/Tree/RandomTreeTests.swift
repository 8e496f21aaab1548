import Foundation
import LarderCore
import LarderTestSupport
import Testing

@testable import LarderClient

/// Random trees, restored into nothing and over one another, against a model that is a dictionary.
@Suite struct RandomTreeTests {
    private func name(_ chance: inout SeededGenerator) -> String {
        ["a", "b", "c", "a.b", "a-b", "ä", "a b", "A", "0", "~"].randomElement(using: &chance) ?? "a"
    }

    /// Makes some files, folders and links below `m`; what can't be, as something else is there, is left.
    private func fill(_ files: TreeFiles, _ chance: inout SeededGenerator) throws {
        try files.makeFolder("m")
        for _ in 0..<Int.random(in: 0..<60, using: &chance) {
            var path = "m"
            for _ in 0..<Int.random(in: 1..<5, using: &chance) { path += "/" + name(&chance) }
            let time = Int64.random(in: -(1 << 60)...(1 << 60), using: &chance)
            let mode: UInt16 = [0o644, 0o755, 0o600, 0o444, 0o777].randomElement(using: &chance) ?? 0o644
            switch Int.random(in: 0..<8, using: &chance) {
            case 0: try? files.makeFolder(path, mode: mode | 0o700, modified: time)
            case 1: try? files.link(path, to: name(&chance), modified: time)
            case 2:
                if let other = try files.things(below: "m").filter({ $0.value.kind == "file" }).keys.sorted()
                    .randomElement(using: &chance)
                {
                    try? files.hardLink(path, to: other)
                }
            case 3 where Int.random(in: 0..<10, using: &chance) == 0:
                try? files.write(path, chance.bytes(1_200_000), mode: mode, modified: time)
            default:
                let text = "content \(Int.random(in: 0..<20, using: &chance))"
                try? files.write(path, text, mode: mode, modified: time)
            }
        }
        for (path, thing) in try files.things() where thing.kind == "folder" {
            try files.setTime(path, Int64.random(in: 0...(1 << 60), using: &chance))
        }
    }

    /// What is to be there after one tree was restored over another.
    private func merged(
        _ old: [String: TreeFiles.Thing],
        _ new: [String: TreeFiles.Thing]
    ) -> [String: TreeFiles.Thing] {
        var result = old
        for (path, thing) in new {
            if thing.kind != "folder" || old[path].map({ $0.kind != "folder" }) ?? false {
                for other in old.keys where other.hasPrefix(path + "/") && new[other] == nil { result[other] = nil }
            }
            result[path] = thing
        }
        return result
    }

    @Test func treesComeBackAndMerge() async throws {
        let seed = testSeed()
        var chance = SeededGenerator(seed: seed)
        for round in 0..<40 {
            try await withTwoFolders { from, to in
                let index = "\(to.path)/../trees"
                try fill(from, &chance)
                if Bool.random(using: &chance) { try fill(to, &chance) }
                let before = try to.things()
                let saved = try SavedTree(try scan(from, ["m"]))
                try restore(saved, into: to, index: index, pieceLength: 1 << 16)
                let wanted = merged(before, try from.things())
                let found = try to.things()
                for path in Set(wanted.keys).union(found.keys).sorted() {
                    #expect(found[path] == wanted[path], "seed \(seed), round \(round), \(path)")
                }
                // A second time nothing is to be done, and files that are one stay one.
                let report = try restore(SavedTree(saved.tree), into: to, index: index)
                #expect(report.writtenFileCount == 0, "seed \(seed), round \(round)")
                #expect(try to.things() == found)
                let links = try scan(from, ["m"]).tree.entries.filter {
                    if case .hardLink = $0.content { true } else { false }
                }
                for entry in links {
                    guard case .hardLink(let first) = entry.content else { continue }
                    #expect(
                        try to.status("m/\(entry.path)").st_ino
                            == to.status("m/\(saved.tree.entries[first].path)").st_ino,
                        "seed \(seed), round \(round), \(entry.path)"
                    )
                }
            }
        }
    }
}
