import LarderCore
import Testing

/// Limits as they are set, and what they come to on a given disk.
@Suite struct SizeLimitTests {
    @Test(arguments: [
        (text: "20GiB", limit: SizeLimit.bytes(ByteCount(21_474_836_480))),
        (text: "1", limit: .bytes(ByteCount(1))),
        (text: "1.5 GB", limit: .bytes(ByteCount(1_500_000_000))),
        (text: "1%", limit: .percentOfDisk(1)),
        (text: "80%", limit: .percentOfDisk(80)),
        (text: "100%", limit: .percentOfDisk(100)),
    ])
    func limitsAreParsed(text: String, limit: SizeLimit) {
        #expect(SizeLimit(text) == limit)
    }

    @Test(arguments: [
        "", "%", "0", "0GiB", "0.5B", "0%", "101%", "-1%", "+80%", "8.5%", "80 %", "80%%", "%80", "x%", "-1", "lots",
        "99999999999999999999%", "80% of the disk",
    ])
    func anythingElseIsNoLimit(text: String) {
        #expect(SizeLimit(text) == nil)
    }

    @Test(arguments: [
        (limit: SizeLimit.bytes(ByteCount(700)), bytes: Int64(700)),
        // More than the disk has: what somebody set, somebody meant.
        (limit: .bytes(ByteCount(7000)), bytes: 7000),
        (limit: .percentOfDisk(80), bytes: 800),
        (limit: .percentOfDisk(100), bytes: 1000),
        // 300 free and 100 that the store itself holds.
        (limit: .percentOfAvailable(80), bytes: 320),
        (limit: .percentOfAvailable(33), bytes: 132),
        (limit: .default, bytes: 320),
    ])
    func limitsComeToBytes(limit: SizeLimit, bytes: Int64) {
        let resolved = limit.resolve(diskTotal: ByteCount(1000), diskFree: ByteCount(300), used: ByteCount(100))
        #expect(resolved == ByteCount(bytes))
    }

    /// A store that fills its limit does not shrink it by that: what it uses counts as available.
    @Test(arguments: [Int64(0), 1, 100, 399, 400])
    func limitOfAvailableSpaceDoesNotDependOnWhatTheStoreUsesOfIt(used: Int64) {
        let limit = SizeLimit.percentOfAvailable(80)
        let resolved = limit.resolve(
            diskTotal: ByteCount(1000),
            diskFree: ByteCount(400 - used),
            used: ByteCount(used)
        )
        #expect(resolved == ByteCount(320))
    }
}
