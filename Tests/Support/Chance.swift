import Foundation
package import LarderCore
import Synchronization

/// A generator whose numbers are the same for the same seed (SplitMix64).
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) {
        state = seed
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }

    /// Bytes of any length.
    package mutating func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count {
            withUnsafeBytes(of: next()) { bytes.append(contentsOf: $0) }
        }
        return Array(bytes.prefix(count))
    }
}

/// The seed of a randomized test: `LARDER_TEST_SEED`, or a new one.
package func testSeed() -> UInt64 {
    ProcessInfo.processInfo.environment["LARDER_TEST_SEED"].flatMap { UInt64($0) } ?? .random(in: 0 ... .max)
}

/// A clock that only a test moves.
package final class ManualTime: Sendable {
    private let milliseconds: Mutex<Int64>

    /// Starts in 2026.
    package init() {
        milliseconds = Mutex(1_780_000_000_000)
    }

    package var now: Timestamp { Timestamp(milliseconds: milliseconds.withLock { $0 }) }

    package func advance(by duration: Duration) {
        milliseconds.withLock { $0 += duration.wholeMilliseconds }
    }

    package var source: TimeSource { { self.now } }
}

/// The SHA-256 of bytes in hexadecimal.
package func sha256Hex(_ bytes: [UInt8]) -> String { IncrementalHasher.digest(of: bytes).hex }
