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

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                try await Task.sleep(for: Self.period)
                try await pool.run { _ = malloc_trim(0) }
            }
        }
    }
}
