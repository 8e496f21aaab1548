package import APIMessages

/// Reports of tests and of coverage, as far as their totals go.
package enum TestReport {
    package typealias Totals = ReportTotals

    /// Larger reports are kept, but not read; in bytes.
    package static let lengthMax = 64 << 20

    /// Reads the totals of a report; nil when its format is kept as it is.
    ///
    /// `format`: As a buildspec names it. Totals are read of `JUNITXML`, `CLOVERXML`, `COBERTURAXML` and `JACOCOXML`.
    ///
    /// - Throws: `ClientError` when the report is damaged, too large, or of another format.
    package static func read(format: String, bytes: [UInt8]) throws(ClientError) -> Totals? {
        let read: (inout XMLTags) throws(XMLError) -> Totals?
        switch format.uppercased() {
        case "JUNITXML": read = { (tags) throws(XMLError) in try JUnitReader.read(&tags) }
        case "CLOVERXML": read = { (tags) throws(XMLError) in try clover(&tags) }
        case "COBERTURAXML": read = { (tags) throws(XMLError) in try cobertura(&tags) }
        case "JACOCOXML": read = { (tags) throws(XMLError) in try jacoco(&tags) }
        default: return nil
        }
        guard bytes.count <= lengthMax else {
            throw ClientError("the report is larger than \(lengthMax >> 20) MiB; its totals are not counted")
        }
        var tags = XMLTags(bytes)
        do {
            guard let totals = try read(&tags) else { throw ClientError("the report is not in the format \(format)") }
            return totals
        } catch let error as XMLError {
            throw ClientError("the report is damaged: \(error)")
        } catch let error as ClientError {
            throw error
        } catch {
            throw ClientError("the report can't be read: \(error)")
        }
    }

    static func count(_ text: String?) -> Int? {
        guard let text, let count = Int(text.filter { $0 != "," && $0 != " " }), count >= 0 else { return nil }
        return count
    }

    /// Adds up the metrics of projects; those of packages and files are parts of them.
    private static func clover(_ tags: inout XMLTags) throws(XMLError) -> Totals? {
        var path: [String] = []
        var totals: Totals?
        while let event = try tags.next() {
            guard case .open(let name) = event else {
                path.removeLast()
                continue
            }
            path.append(name)
            guard path == ["coverage", "project", "metrics"] else { continue }
            var project = Totals()
            project.statements = count(tags.attribute("statements"))
            project.coveredStatements = count(tags.attribute("coveredstatements"))
            project.conditionals = count(tags.attribute("conditionals"))
            project.coveredConditionals = count(tags.attribute("coveredconditionals"))
            project.methods = count(tags.attribute("methods"))
            project.coveredMethods = count(tags.attribute("coveredmethods"))
            project.elements = count(tags.attribute("elements"))
            project.coveredElements = count(tags.attribute("coveredelements"))
            totals = (totals ?? Totals()) + project
        }
        return totals
    }

    /// Reads what the root says; lines are counted when it doesn't, as older writers give rates only.
    private static func cobertura(_ tags: inout XMLTags) throws(XMLError) -> Totals? {
        var path: [String] = []
        var totals: Totals?
        var (lines, coveredLines) = (0, 0)
        while let event = try tags.next() {
            guard case .open(let name) = event else {
                path.removeLast()
                continue
            }
            path.append(name)
            if path == ["coverage"] {
                var root = Totals()
                root.lines = count(tags.attribute("lines-valid"))
                root.coveredLines = count(tags.attribute("lines-covered"))
                root.branches = count(tags.attribute("branches-valid"))
                root.coveredBranches = count(tags.attribute("branches-covered"))
                totals = root
            } else if path.suffix(3) == ["class", "lines", "line"] {
                lines += 1
                if let hits = count(tags.attribute("hits")), hits > 0 { coveredLines += 1 }
            }
        }
        if totals != nil, totals?.lines == nil, lines > 0 {
            totals?.lines = lines
            totals?.coveredLines = coveredLines
        }
        return totals
    }

    /// Reads the counters of the report itself; those of packages and classes are parts of them.
    private static func jacoco(_ tags: inout XMLTags) throws(XMLError) -> Totals? {
        var totals: Totals?
        while let event = try tags.next() {
            guard case .open(let name) = event else { continue }
            if tags.depth == 1, name == "report" { totals = Totals() }
            guard tags.depth == 2, name == "counter", totals != nil, let covered = count(tags.attribute("covered")),
                let missed = count(tags.attribute("missed"))
            else { continue }
            let all = covered.addingClamped(missed)
            switch tags.attribute("type") {
            case "LINE":
                totals?.lines = all
                totals?.coveredLines = covered
            case "BRANCH":
                totals?.branches = all
                totals?.coveredBranches = covered
            case "METHOD":
                totals?.methods = all
                totals?.coveredMethods = covered
            default: break
            }
        }
        return totals
    }
}

/// Adds up the suites of a JUnit report.
///
/// What a suite says of itself counts, unless more was found in it: some writers count only a suite's own tests and not
/// those of suites within, some leave attributes out.
private struct JUnitReader {
    private struct Suite {
        /// What the element's attributes say.
        var said = TestReport.Totals()
        var tests = 0
        var failures = 0
        var errors = 0
        var skipped = 0
        var seconds = 0.0

        var totals: TestReport.Totals {
            var totals = TestReport.Totals()
            totals.tests = max(said.tests ?? 0, tests)
            totals.failures = max(said.failures ?? 0, failures)
            totals.errors = max(said.errors ?? 0, errors)
            totals.skipped = max(said.skipped ?? 0, skipped)
            totals.seconds = said.seconds ?? seconds
            return totals
        }

        mutating func add(_ totals: TestReport.Totals) {
            tests = tests.addingClamped(totals.tests ?? 0)
            failures = failures.addingClamped(totals.failures ?? 0)
            errors = errors.addingClamped(totals.errors ?? 0)
            skipped = skipped.addingClamped(totals.skipped ?? 0)
            seconds += totals.seconds ?? 0
        }
    }

    private var suites: [Suite] = []
    /// How the test case under way ended, and its depth.
    private var test: (totals: TestReport.Totals, depth: Int)?

    static func read(_ tags: inout XMLTags) throws(XMLError) -> TestReport.Totals? {
        var reader = JUnitReader()
        var root: TestReport.Totals?
        while let event = try tags.next() {
            switch event {
            case .open(let name):
                if tags.depth == 1, name != "testsuites", name != "testsuite" { return nil }
                reader.open(name, tags)
            case .close(let name):
                if let totals = reader.close(name, depth: tags.depth) { root = totals }
            }
        }
        return root
    }

    private mutating func open(_ name: String, _ tags: XMLTags) {
        switch name {
        case "testsuites", "testsuite":
            var suite = Suite()
            suite.said.tests = TestReport.count(tags.attribute("tests"))
            suite.said.failures = TestReport.count(tags.attribute("failures"))
            suite.said.errors = TestReport.count(tags.attribute("errors"))
            suite.said.skipped = TestReport.count(
                tags.attribute("skipped") ?? tags.attribute("skips") ?? tags.attribute("disabled")
            )
            suite.said.seconds = Self.seconds(tags.attribute("time"))
            suites.append(suite)
        case "testcase" where test == nil:
            var totals = TestReport.Totals()
            totals.tests = 1
            totals.seconds = Self.seconds(tags.attribute("time"))
            test = (totals, tags.depth)
        case "failure" where test?.depth == tags.depth - 1: test?.totals.failures = 1
        case "error" where test?.depth == tags.depth - 1: test?.totals.errors = 1
        case "skipped" where test?.depth == tags.depth - 1: test?.totals.skipped = 1
        default: break
        }
    }

    /// Notes the end of an element, `depth` others being around it; returns the totals when it is the root.
    private mutating func close(_ name: String, depth: Int) -> TestReport.Totals? {
        if let test, test.depth == depth + 1 {
            if !suites.isEmpty { suites[suites.count - 1].add(test.totals) }
            self.test = nil
        } else if name == "testsuites" || name == "testsuite", let suite = suites.popLast() {
            if suites.isEmpty { return suite.totals }
            suites[suites.count - 1].add(suite.totals)
        }
        return nil
    }

    /// Some writers group the digits of thousands.
    private static func seconds(_ text: String?) -> Double? {
        guard let text, let seconds = Double(text.filter { $0 != "," }), seconds.isFinite, seconds >= 0 else {
            return nil
        }
        return seconds
    }
}

extension Int {
    /// The sum, or the largest number when it is larger; reports may say anything.
    fileprivate func addingClamped(_ other: Int) -> Int {
        let (sum, isOver) = addingReportingOverflow(other)
        return isOver ? Int.max : sum
    }
}

extension ReportTotals {
    private static let counts: [any WritableKeyPath<ReportTotals, Int?> & Sendable] = [
        \.tests, \.failures, \.errors, \.skipped, \.statements, \.coveredStatements, \.conditionals,
        \.coveredConditionals, \.methods, \.coveredMethods, \.elements, \.coveredElements, \.lines, \.coveredLines,
        \.branches, \.coveredBranches,
    ]

    /// The totals of two files of one group.
    package static func + (left: ReportTotals, right: ReportTotals) -> ReportTotals {
        var sum = left
        for count in counts {
            guard let other = right[keyPath: count] else { continue }
            sum[keyPath: count] = (sum[keyPath: count] ?? 0).addingClamped(other)
        }
        if let seconds = right.seconds { sum.seconds = (sum.seconds ?? 0) + seconds }
        return sum
    }
}
