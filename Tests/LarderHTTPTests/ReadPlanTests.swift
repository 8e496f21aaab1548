import LarderCore
import Testing

@testable import LarderHTTP

/// Ranges (RFC 9110, section 14) and preconditions (section 13) of a read.
@Suite struct ReadPlanTests {
    private static let tag = "\"abc\""
    /// Sun, 06 Nov 1994 08:49:37.250 GMT.
    private static let pushedAt = Timestamp(milliseconds: 784_111_777_250)
    private static let same = "Sun, 06 Nov 1994 08:49:37 GMT"
    private static let before = "Sun, 06 Nov 1994 08:49:36 GMT"
    private static let after = "Sun, 06 Nov 1994 08:49:38 GMT"

    private static func plan(
        _ range: String? = nil,
        size: Int64 = 10,
        _ conditions: RequestFacts.Conditions = .init()
    ) -> ReadPlan {
        ReadPlan(size: size, entityTag: tag, pushedAt: pushedAt, range: range, conditions: conditions)
    }

    @Test func withoutHeadersTheWholeIsSent() {
        #expect(Self.plan().status == 200)
        #expect(Self.plan().body == .whole)
        #expect(Self.plan(size: 0).status == 200)
        #expect(Self.plan(size: 0).body == .whole)
    }

    // MARK: Ranges

    @Test(arguments: [
        (range: "bytes=0-0", piece: Int64(0)..<Int64(1)),
        (range: "bytes=0-9", piece: 0..<10),
        (range: "bytes=0-", piece: 0..<10),
        (range: "bytes=3-5", piece: 3..<6),
        (range: "bytes=9-", piece: 9..<10),
        (range: "bytes=9-9", piece: 9..<10),
        (range: "bytes=5-100", piece: 5..<10),
        (range: "bytes=-1", piece: 9..<10),
        (range: "bytes=-3", piece: 7..<10),
        (range: "bytes=-10", piece: 0..<10),
        (range: "bytes=-11", piece: 0..<10),
        (range: "bytes=-999", piece: 0..<10),
        (range: "BYTES=3-5", piece: 3..<6),
        (range: "bytes= 3-5", piece: 3..<6),
        (range: "bytes=3-5 ", piece: 3..<6),
        (range: "bytes=003-005", piece: 3..<6),
        // Pieces that can't be had are left out.
        (range: "bytes=3-5,10-", piece: 3..<6),
        (range: "bytes=20-30,-2", piece: 8..<10),
        (range: "bytes=-0,3-5", piece: 3..<6),
    ])
    func onePieceIsSentAsAPart(range: String, piece: Range<Int64>) {
        #expect(Self.plan(range).status == 206)
        #expect(Self.plan(range).body == .range(piece))
    }

    @Test(arguments: [
        "bytes=0-9223372036854775806", "bytes=0-9223372036854775807", "bytes=0-9223372036854775808",
        "bytes=0-18446744073709551615", "bytes=0-99999999999999999999999999", "bytes=-9223372036854775807",
        "bytes=-9223372036854775808", "bytes=-99999999999999999999999999",
    ])
    func endsPastEveryIntegerAreTheEndOfTheContent(range: String) {
        #expect(Self.plan(range).status == 206)
        #expect(Self.plan(range).body == .range(0..<10))
    }

    @Test(arguments: [
        (range: "bytes=0-0,-1", pieces: [Int64(0)..<Int64(1), 9..<10]),
        (range: "bytes=0-1,3-4", pieces: [0..<2, 3..<5]),
        (range: "bytes=0-1 , 3-4", pieces: [0..<2, 3..<5]),
        (range: "bytes=0-1,\t3-4", pieces: [0..<2, 3..<5]),
        (range: "bytes=5-6,0-1", pieces: [5..<7, 0..<2]),
        (range: "bytes=0-4,5-9", pieces: [0..<5, 5..<10]),
        (range: "bytes=0-1,20-,3-4", pieces: [0..<2, 3..<5]),
        (range: "bytes=0-3,2-5", pieces: [0..<4, 2..<6]),
    ])
    func severalPiecesAreSentInTheOrderAskedFor(range: String, pieces: [Range<Int64>]) {
        #expect(Self.plan(range).status == 206)
        #expect(Self.plan(range).body == .ranges(pieces))
    }

    @Test(arguments: [
        "bytes=10-", "bytes=10-10", "bytes=11-20", "bytes=-0", "bytes=10-,20-30", "bytes=9223372036854775807-",
        "bytes=99999999999999999999-", "bytes=99999999999999999999-99999999999999999999",
    ])
    func rangesPastTheEndAreNotSatisfiable(range: String) {
        #expect(Self.plan(range).status == 416)
        #expect(Self.plan(range).body == .none)
    }

    @Test(arguments: ["bytes=0-", "bytes=0-0", "bytes=1-", "bytes=-1", "bytes=-0"])
    func emptyContentHasNoRanges(range: String) {
        #expect(Self.plan(range, size: 0).status == 416)
    }

    /// Section 14.2: a server ignores ranges of other units and those that it can't make sense of.
    @Test(arguments: [
        "", "bytes", "bytes=", "bytes= ", "bytes=-", "bytes=a-b", "bytes=1", "bytes=1-2-3", "bytes=--1",
        "bytes=1--2", "bytes=+1-2", "bytes=1-+2", "bytes=0x1-2", "bytes=1.0-2", "bytes=1-2;3-4", "bytes=1-2,x",
        "bytes:0-1", "bytes 0-1", "items=0-1", "byte=0-1", "bytess=0-1", "0-1", "bytes=１-２",
        "bytes=-１",
    ])
    func brokenRangesAreIgnored(range: String) {
        #expect(Self.plan(range).status == 200)
        #expect(Self.plan(range).body == .whole)
    }

    @Test(arguments: 1...40)
    func moreThanSixteenRangesAreIgnored(count: Int) {
        let range = "bytes=" + (0..<count).map { "\($0 * 2)-\($0 * 2)" }.joined(separator: ",")
        #expect(Self.plan(range, size: 1000).status == (count <= 16 ? 206 : 200))
    }

    @Test(arguments: [
        // Twice the content and a little more than a kibibyte: somebody wants it many times over.
        (range: "bytes=0-,0-", size: Int64(1025), status: 200),
        (range: "bytes=0-,0-", size: 1024, status: 206),
        (range: "bytes=0-,0-,0-", size: 1024, status: 200),
        (range: "bytes=0-,-1024", size: 1_000_000, status: 206),
        (range: "bytes=0-,-1025", size: 1_000_000, status: 200),
        (range: "bytes=0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-", size: 1_000_000, status: 200),
    ])
    func overlappingRangesDoNotMultiplyTheContent(range: String, size: Int64, status: Int) {
        #expect(Self.plan(range, size: size).status == status)
    }

    /// Every pair of positions around a small content, against the definition.
    @Test(arguments: 0...6)
    func everyRangeOfSmallContentIsRight(size: Int) {
        for first in 0...8 {
            for last in first...9 {
                let plan = Self.plan("bytes=\(first)-\(last)", size: Int64(size))
                if first < size {
                    #expect(plan.body == .range(Int64(first)..<Int64(min(size, last + 1))))
                } else {
                    #expect(plan.status == 416)
                }
            }
        }
        for length in 1...9 {
            let plan = Self.plan("bytes=-\(length)", size: Int64(size))
            if size > 0 {
                #expect(plan.body == .range(Int64(max(0, size - length))..<Int64(size)))
            } else {
                #expect(plan.status == 416)
            }
        }
    }

    // MARK: Preconditions

    @Test(arguments: [
        (ifMatch: "\"abc\"", status: 200),
        (ifMatch: "*", status: 200),
        (ifMatch: " \"abc\" ", status: 200),
        (ifMatch: "\"x\", \"abc\"", status: 200),
        (ifMatch: "\"x\",\"abc\",\"y\"", status: 200),
        (ifMatch: "\"x\",\t\"abc\"", status: 200),
        (ifMatch: "\"x\"", status: 412),
        (ifMatch: "\"x\", \"y\"", status: 412),
        (ifMatch: "", status: 412),
        (ifMatch: "abc", status: 412),
        (ifMatch: "\"ABC\"", status: 412),
        (ifMatch: "\"abcd\"", status: 412),
        // Section 13.1.1: the strong comparison, in which a weak tag equals nothing.
        (ifMatch: "W/\"abc\"", status: 412),
    ])
    func ifMatchWantsOneOfItsTags(ifMatch: String, status: Int) {
        #expect(Self.plan(nil, .init(ifMatch: ifMatch)).status == status)
        #expect(Self.plan(nil, .init(ifMatch: ifMatch)).body == (status == 200 ? .whole : .none))
    }

    @Test(arguments: [
        (ifNoneMatch: "\"abc\"", status: 304),
        (ifNoneMatch: "*", status: 304),
        (ifNoneMatch: "\"x\", \"abc\"", status: 304),
        // Section 13.1.2: the weak comparison.
        (ifNoneMatch: "W/\"abc\"", status: 304),
        (ifNoneMatch: "\"x\", W/\"abc\"", status: 304),
        (ifNoneMatch: "\"x\"", status: 200),
        (ifNoneMatch: "\"x\", \"y\"", status: 200),
        (ifNoneMatch: "", status: 200),
        (ifNoneMatch: "abc", status: 200),
        (ifNoneMatch: "w/\"abc\"", status: 200),
    ])
    func ifNoneMatchSparesWhatTheClientHas(ifNoneMatch: String, status: Int) {
        #expect(Self.plan(nil, .init(ifNoneMatch: ifNoneMatch)).status == status)
        #expect(Self.plan(nil, .init(ifNoneMatch: ifNoneMatch)).body == (status == 200 ? .whole : .none))
    }

    @Test(arguments: [
        (date: same, status: 304),
        (date: after, status: 304),
        (date: before, status: 200),
        (date: "yesterday", status: 200),
        (date: "", status: 200),
    ])
    func ifModifiedSinceComparesWholeSeconds(date: String, status: Int) {
        #expect(Self.plan(nil, .init(ifModifiedSince: date)).status == status)
    }

    @Test(arguments: [
        (date: same, status: 200),
        (date: after, status: 200),
        (date: before, status: 412),
        (date: "yesterday", status: 200),
        (date: "", status: 200),
    ])
    func ifUnmodifiedSinceComparesWholeSeconds(date: String, status: Int) {
        #expect(Self.plan(nil, .init(ifUnmodifiedSince: date)).status == status)
    }

    /// Section 13.2.2: If-Match over If-Unmodified-Since, If-None-Match over If-Modified-Since, 412 before 304.
    @Test(arguments: [
        (conditions: RequestFacts.Conditions(ifMatch: tag, ifUnmodifiedSince: before), status: 200),
        (conditions: .init(ifMatch: "\"x\"", ifUnmodifiedSince: after), status: 412),
        (conditions: .init(ifNoneMatch: "\"x\"", ifModifiedSince: after), status: 200),
        (conditions: .init(ifNoneMatch: tag, ifModifiedSince: before), status: 304),
        (conditions: .init(ifMatch: "\"x\"", ifNoneMatch: tag), status: 412),
        (conditions: .init(ifMatch: tag, ifNoneMatch: tag), status: 304),
        (conditions: .init(ifMatch: tag, ifModifiedSince: after), status: 304),
        (conditions: .init(ifNoneMatch: tag, ifUnmodifiedSince: before), status: 412),
        (conditions: .init(ifNoneMatch: tag, ifUnmodifiedSince: after), status: 304),
        (conditions: .init(ifModifiedSince: same, ifUnmodifiedSince: same), status: 304),
        (conditions: .init(ifModifiedSince: before, ifUnmodifiedSince: same), status: 200),
        (conditions: .init(ifModifiedSince: after, ifUnmodifiedSince: before), status: 412),
    ])
    func preconditionsGoInTheirOrder(conditions: RequestFacts.Conditions, status: Int) {
        #expect(Self.plan(nil, conditions).status == status)
    }

    @Test(arguments: [
        (conditions: RequestFacts.Conditions(ifMatch: "\"x\""), status: 412),
        (conditions: .init(ifNoneMatch: tag), status: 304),
        (conditions: .init(ifMatch: tag), status: 206),
        (conditions: .init(ifNoneMatch: "\"x\""), status: 206),
        (conditions: .init(ifModifiedSince: before), status: 206),
    ])
    func preconditionsComeBeforeRanges(conditions: RequestFacts.Conditions, status: Int) {
        #expect(Self.plan("bytes=0-0", conditions).status == status)
    }

    @Test func failedPreconditionHidesAnUnsatisfiableRange() {
        #expect(Self.plan("bytes=100-", .init(ifNoneMatch: Self.tag)).status == 304)
        #expect(Self.plan("bytes=100-", .init(ifMatch: "\"x\"")).status == 412)
    }

    /// Section 13.1.5: the strong comparison; a date must be the very one.
    @Test(arguments: [
        (ifRange: tag, status: 206),
        (ifRange: same, status: 206),
        (ifRange: "\"x\"", status: 200),
        (ifRange: "W/\"abc\"", status: 200),
        (ifRange: "*", status: 200),
        (ifRange: before, status: 200),
        (ifRange: after, status: 200),
        (ifRange: "abc", status: 200),
        (ifRange: "", status: 200),
    ])
    func ifRangeSendsTheWholeWhenTheContentIsAnother(ifRange: String, status: Int) {
        #expect(Self.plan("bytes=0-0", .init(ifRange: ifRange)).status == status)
        #expect(Self.plan("bytes=0-0", .init(ifRange: ifRange)).body == (status == 206 ? .range(0..<1) : .whole))
    }

    @Test func ifRangeThatFailsHidesAnUnsatisfiableRange() {
        #expect(Self.plan("bytes=100-", .init(ifRange: "\"x\"")).status == 200)
        #expect(Self.plan("bytes=100-", .init(ifRange: Self.tag)).status == 416)
    }

    @Test func ifRangeWithoutARangeMeansNothing() {
        #expect(Self.plan(nil, .init(ifRange: Self.tag)).status == 200)
        #expect(Self.plan(nil, .init(ifRange: "\"x\"")).status == 200)
    }
}
