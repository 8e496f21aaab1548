import CMalloc
import LarderBlobs
import ServiceLifecycle

/// Gives memory that is free back to the system now and then.
///
/// glibc keeps what hundreds of uploads at one time needed in the arenas of the threads that needed it: some 300 MB after a
/// storm of clients that vanished.
struct MemoryTrimmer: Service {
    private static let period: Duration = .seconds(30)

    let pool: FilePool

    /// Lets threads share two heaps: one for each of a dozen threads keeps what the largest work of each left behind.
    static func limitArenas() {
        mallopt(M_ARENA_MAX, 2)
    }

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                try await Task.sleep(for: Self.period)
                try await pool.run { _ = malloc_trim(0) }
            }
        }
    }
}
