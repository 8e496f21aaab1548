/// How much a store may hold.
package enum SizeLimit: Sendable, Hashable {
    case bytes(ByteCount)
    /// Of the whole disk.
    case percentOfDisk(Int)
    /// Of what the disk had free when the store was opened, the store's own bytes included.
    case percentOfAvailable(Int)

    /// What a store takes that nobody set a limit for.
    package static let `default` = SizeLimit.percentOfAvailable(80)

    /// Parses `20GiB` or `80%` (of the disk); nil for anything else, and for no bytes or more than 100 %.
    package init?(_ text: String) {
        if text.hasSuffix("%") {
            guard text.first?.isNumber == true, let percent = Int(text.dropLast()), (1...100).contains(percent) else {
                return nil
            }
            self = .percentOfDisk(percent)
        } else {
            guard let count = ByteCount(text), count.bytes > 0 else { return nil }
            self = .bytes(count)
        }
    }

    /// The limit in bytes.
    package func resolve(diskTotal: ByteCount, diskFree: ByteCount, used: ByteCount) -> ByteCount {
        switch self {
        case .bytes(let count): count
        case .percentOfDisk(let percent): diskTotal.percent(percent)
        case .percentOfAvailable(let percent): (diskFree + used).percent(percent)
        }
    }
}
