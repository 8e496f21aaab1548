import APIMessages
import Testing

@testable import LarderClient

/// The totals of reports, as the programs that write them mean them.
@Suite struct TestReportTests {
    private func totals(_ format: String, _ text: String) throws -> TestReport.Totals? {
        try TestReport.read(format: format, bytes: Array(text.utf8))
    }

    /// What came out of a report: tests, failures, errors, skipped, seconds.
    struct Counts: Hashable, Sendable {
        var tests: Int?
        var failures: Int?
        var errors: Int?
        var skipped: Int?
        var seconds: Double?

        init(_ tests: Int?, _ failures: Int?, _ errors: Int?, _ skipped: Int?, _ seconds: Double?) {
            (self.tests, self.failures, self.errors) = (tests, failures, errors)
            (self.skipped, self.seconds) = (skipped, seconds)
        }
    }

    @Test(arguments: [
        (
            "jest: the root has no count of skipped tests",
            """
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites name="jest tests" tests="3" failures="1" errors="0" time="2.5">
              <testsuite name="a" errors="0" failures="1" skipped="1" tests="3" time="1.25">
                <testcase name="x" time="0.5"/>
                <testcase name="y" time="0.5"><failure>Error: &lt;x&gt;</failure></testcase>
                <testcase name="z" time="0"><skipped/></testcase>
              </testsuite>
            </testsuites>
            """,
            Counts(3, 1, 0, 1, 2.5)
        ),
        (
            "pytest: the root says nothing",
            """
            <testsuites><testsuite tests="2" failures="0" errors="1" skipped="0" time="0.25"/>
            <testsuite tests="1" failures="1" errors="0" skipped="1" time="0.5"/></testsuites>
            """,
            Counts(3, 1, 1, 1, 0.75)
        ),
        (
            "surefire: one suite, thousands with a comma",
            "<testsuite tests=\"1,200\" failures=\"0\" errors=\"0\" skipped=\"7\" time=\"1,234.5\"></testsuite>",
            Counts(1200, 0, 0, 7, 1234.5)
        ),
        (
            "PHPUnit: suites in suites whose attributes count them all",
            """
            <testsuites><testsuite tests="3" failures="1"><testsuite tests="2" failures="1" time="1"/>
            <testsuite tests="1" time="2"/></testsuite></testsuites>
            """,
            Counts(3, 1, 0, 0, 3)
        ),
        (
            "a suite that counts its own tests only",
            """
            <testsuite tests="1"><testcase/><testsuite><testcase><error/><error/></testcase><testcase/></testsuite>
            </testsuite>
            """,
            Counts(3, 0, 1, 0, 0)
        ),
        (
            "attributes that are no numbers",
            "<testsuite tests=\"x\" failures=\"-1\" time=\"nan\"><testcase time=\"0.5\"/></testsuite>",
            Counts(1, 0, 0, 0, 0.5)
        ),
        (
            "a failure's own output is no test",
            "<testsuite><testcase><system-out><testcase/><failure/></system-out></testcase></testsuite>",
            Counts(1, 0, 0, 0, 0)
        ),
        (
            "GoogleTest", "<testsuites tests=\"4\" failures=\"0\" disabled=\"2\" errors=\"0\" time=\"1\"/>",
            Counts(4, 0, 0, 2, 1)
        ),
        ("empty", "<testsuites/>", Counts(0, 0, 0, 0, 0)),
    ])
    func testsAreCounted(writer: String, text: String, counts: Counts) throws {
        let totals = try #require(try totals("JUNITXML", text))
        #expect(
            Counts(totals.tests, totals.failures, totals.errors, totals.skipped, totals.seconds) == counts,
            "\(writer)"
        )
        #expect(totals.statements == nil && totals.lines == nil)
    }

    @Test func cloversProjectsAreCounted() throws {
        let text = """
            <coverage generated="1" clover="3.2.0"><project timestamp="1" name="All files">
            <metrics statements="10" coveredstatements="8" conditionals="4" coveredconditionals="3" methods="5"
             coveredmethods="5" elements="19" coveredelements="16" complexity="0" loc="10"/>
            <file name="a.js"><metrics statements="10" coveredstatements="8"/><line num="1" count="2" type="stmt"/></file>
            <package name="p"><metrics statements="10"/></package></project>
            <testproject><metrics statements="99"/></testproject></coverage>
            """
        let totals = try #require(try totals("CLOVERXML", text))
        #expect((totals.statements, totals.coveredStatements) == (10, 8))
        #expect((totals.conditionals, totals.coveredConditionals) == (4, 3))
        #expect((totals.methods, totals.coveredMethods) == (5, 5))
        #expect((totals.elements, totals.coveredElements) == (19, 16))
        #expect(totals.tests == nil)
    }

    @Test func coberturasRootIsRead() throws {
        let text = """
            <!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">
            <coverage lines-valid="100" lines-covered="90" line-rate="0.9" branches-valid="10" branches-covered="5"/>
            """
        let totals = try #require(try totals("COBERTURAXML", text))
        #expect((totals.lines, totals.coveredLines, totals.branches, totals.coveredBranches) == (100, 90, 10, 5))
        let old = """
            <coverage line-rate="0.5"><packages><package><classes><class><methods><method><lines><line hits="1"/></lines>
            </method></methods><lines><line number="1" hits="1"/><line number="2" hits="0"/></lines></class></classes>
            </package></packages></coverage>
            """
        let counted = try #require(try self.totals("coberturaxml", old))
        #expect((counted.lines, counted.coveredLines, counted.branches) == (2, 1, nil))
    }

    @Test func jacocosCountersAreRead() throws {
        let text = """
            <!DOCTYPE report PUBLIC "-//JACOCO//DTD Report 1.1//EN" "report.dtd"><report name="x"><sessioninfo id="a"/>
            <package name="p"><counter type="LINE" missed="9" covered="9"/></package>
            <counter type="INSTRUCTION" missed="1" covered="2"/><counter type="BRANCH" missed="1" covered="3"/>
            <counter type="LINE" missed="2" covered="8"/><counter type="METHOD" missed="0" covered="4"/></report>
            """
        let totals = try #require(try totals("JACOCOXML", text))
        #expect((totals.lines, totals.coveredLines) == (10, 8))
        #expect((totals.branches, totals.coveredBranches) == (4, 3))
        #expect((totals.methods, totals.coveredMethods) == (4, 4))
    }

    @Test(arguments: ["CUCUMBERJSON", "NUNITXML", "TESTNGXML", "VISUALSTUDIOTRX", "SIMPLECOV", "GENERICXML"])
    func otherFormatsAreKeptUnread(format: String) throws {
        #expect(try totals(format, "anything") == nil)
    }

    @Test(arguments: [
        ("JUNITXML", "<html></html>"), ("JUNITXML", "<testsuite>"), ("JUNITXML", ""), ("CLOVERXML", "<coverage/>"),
        ("CLOVERXML", "{}"), ("COBERTURAXML", "<report/>"), ("JACOCOXML", "<coverage/>"),
        ("JUNITXML", "<testsuite><testcase></testsuite>"),
    ])
    func damagedReportsAreErrors(format: String, text: String) {
        #expect(throws: ClientError.self) { try totals(format, text) }
    }

    @Test func aReportThatIsTooLargeIsAnError() {
        let bytes = [UInt8](repeating: 0x20, count: TestReport.lengthMax + 1)
        #expect(throws: ClientError.self) { try TestReport.read(format: "JUNITXML", bytes: bytes) }
    }

    @Test func theFilesOfAGroupAreAddedUp() throws {
        let first = try #require(try totals("JUNITXML", "<testsuite tests=\"2\" failures=\"1\" time=\"1\"/>"))
        let second = try #require(try totals("JUNITXML", "<testsuite tests=\"3\" skipped=\"1\" time=\"0.5\"/>"))
        let sum = first + second
        #expect(Counts(sum.tests, sum.failures, sum.errors, sum.skipped, sum.seconds) == Counts(5, 1, 0, 1, 1.5))
        #expect(sum.lines == nil)
        var largest = TestReport.Totals()
        largest.tests = .max
        #expect((largest + first).tests == .max)
    }
}
