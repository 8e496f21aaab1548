import LarderCore
import Testing

/// Sizes as people write and read them.
@Suite struct ByteCountTests {
    @Test(arguments: [
        (text: "0", bytes: Int64(0)),
        (text: "1", bytes: 1),
        (text: "007", bytes: 7),
        (text: "1B", bytes: 1),
        (text: "1 b", bytes: 1),
        (text: "512", bytes: 512),
        (text: "512M", bytes: 536_870_912),
        (text: "512m", bytes: 536_870_912),
        (text: "1K", bytes: 1024),
        (text: "1KB", bytes: 1000),
        (text: "1kb", bytes: 1000),
        (text: "1KiB", bytes: 1024),
        (text: "1kib", bytes: 1024),
        (text: "1KIB", bytes: 1024),
        (text: "3MB", bytes: 3_000_000),
        (text: "3MiB", bytes: 3_145_728),
        (text: "20GiB", bytes: 21_474_836_480),
        (text: "20 GiB", bytes: 21_474_836_480),
        (text: " 20GiB ", bytes: 21_474_836_480),
        (text: "20G", bytes: 21_474_836_480),
        (text: "20GB", bytes: 20_000_000_000),
        (text: "2T", bytes: 2_199_023_255_552),
        (text: "2TiB", bytes: 2_199_023_255_552),
        (text: "2TB", bytes: 2_000_000_000_000),
        (text: "1.5 GB", bytes: 1_500_000_000),
        (text: "1.5K", bytes: 1536),
        (text: "0.5B", bytes: 0),
        (text: "1.9", bytes: 1),
        (text: "8388607T", bytes: 9_223_370_937_343_148_032),
        (text: "9223372036854775807", bytes: .max),
    ])
    func sizesAreParsed(text: String, bytes: Int64) {
        #expect(ByteCount(text) == ByteCount(bytes))
    }

    @Test(arguments: [
        "", " ", "B", "GiB", ".", "..", "1.2.3", "-1", "+1", "-5GiB", "1e3", "1e3K", "0x10", "1_000", "1,5G", "1,000",
        "20 gigabytes", "20GiBs", "20Gi", "20P", "20EiB", "20PiB", "80%", "NaN", "inf", "infinity", "nil", "1\t", "1\n",
        "1KiB2", "KiB1", "１", "٣", "1µB",
    ])
    func nonsenseIsNoSize(text: String) {
        #expect(ByteCount(text) == nil)
    }

    @Test(arguments: [
        "9223372036854775808", "18446744073709551616", "99999999999999999999999999", "8388608T", "8388608TiB",
        "9223372036854775807K", "9223372036854775807KB", "9007199254740993M", "8388608.5T", "1.5e30",
        "9999999999999999999.5G",
    ])
    func sizesPastEightExbibytesAreRefused(text: String) {
        #expect(ByteCount(text) == nil)
    }

    @Test(arguments: [
        (bytes: Int64(0), text: "0 B"),
        (bytes: 1, text: "1 B"),
        (bytes: 1023, text: "1023 B"),
        (bytes: 1024, text: "1 KiB"),
        (bytes: 1536, text: "1.5 KiB"),
        (bytes: 17_408, text: "17 KiB"),
        (bytes: 102_400, text: "100 KiB"),
        (bytes: 1_048_576, text: "1 MiB"),
        (bytes: 67_108_864, text: "64 MiB"),
        (bytes: 1_610_612_736, text: "1.5 GiB"),
        (bytes: 21_474_836_480, text: "20 GiB"),
        (bytes: 1_099_511_627_776, text: "1 TiB"),
        (bytes: 109_951_162_777_600, text: "100 TiB"),
    ])
    func sizesAreWrittenForPeople(bytes: Int64, text: String) {
        #expect(ByteCount(bytes).description == text)
    }

    /// A size that `init` accepts can be shown: `--max-size 8000000T` reaches the log and `larder status`.
    @Test(arguments: [
        (bytes: Int64(1_099_511_627_776_000_000), text: "1000000 TiB"),
        (bytes: 9_223_370_937_343_148_032, text: "8388607 TiB"),
        (bytes: .max, text: "8388608 TiB"),
    ])
    func theLargestSizesCanBeWritten(bytes: Int64, text: String) {
        #expect(ByteCount(bytes).description == text)
    }

    @Test(arguments: [
        (bytes: Int64(-1), text: "-1 B"),
        (bytes: -1024, text: "-1 KiB"),
        (bytes: -1536, text: "-1.5 KiB"),
        (bytes: -1_073_741_824, text: "-1 GiB"),
    ])
    func differencesKeepTheirSign(bytes: Int64, text: String) {
        #expect(ByteCount(bytes).description == text)
    }

    @Test(arguments: [
        (bytes: Int64(0), hundredths: 80, share: Int64(0)),
        (bytes: 100, hundredths: 80, share: 80),
        (bytes: 99, hundredths: 50, share: 49),
        (bytes: 101, hundredths: 1, share: 1),
        (bytes: 199, hundredths: 1, share: 1),
        (bytes: 1, hundredths: 99, share: 0),
        (bytes: 7, hundredths: 0, share: 0),
        (bytes: 7, hundredths: 100, share: 7),
        (bytes: 21_474_836_480, hundredths: 95, share: 20_401_094_656),
        (bytes: 1_152_921_504_606_846_976, hundredths: 100, share: 1_152_921_504_606_846_976),
        (bytes: 1_152_921_504_606_846_976, hundredths: 2, share: 23_058_430_092_136_939),
    ])
    func sharesAreRoundedDown(bytes: Int64, hundredths: Int, share: Int64) {
        #expect(ByteCount(bytes).percent(hundredths) == ByteCount(share))
    }

    @Test func unitsArePowersOf1024() {
        #expect(ByteCount.kibibytes(3).bytes == 3072)
        #expect(ByteCount.mebibytes(3).bytes == 3_145_728)
        #expect(ByteCount.gibibytes(3).bytes == 3_221_225_472)
        #expect(ByteCount.zero.bytes == 0)
    }

    @Test func countsAddSubtractAndCompare() {
        #expect(ByteCount(5) + ByteCount(3) == ByteCount(8))
        #expect(ByteCount(3) - ByteCount(5) == ByteCount(-2))
        #expect(ByteCount(3) < ByteCount(5))
        #expect(!(ByteCount(5) < ByteCount(5)))
        #expect(max(ByteCount(3), ByteCount(5)) == ByteCount(5))
    }
}
