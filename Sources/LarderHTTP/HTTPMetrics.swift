package import CoreMetrics
import Synchronization

/// What requests are counted by: tool, repository, method and outcome, with a bounded number of labels.
package final class HTTPMetrics: Sendable {
    /// Repositories with counters of their own; all further ones are counted as `other`.
    package static let repositoryLabelsMax = 100

    struct Key: Hashable {
        let adapter: String
        let repository: String
    }

    /// The counters of one tool and repository.
    final class Series: Sendable {
        let hits: Counter
        let misses: Counter
        let bytesIn: Counter
        let bytesOut: Counter
        let duration: Timer
        let adapter: String
        let repository: String
        private let hitCount = Atomic<Int64>(0)
        private let missCount = Atomic<Int64>(0)
        private let factory: any MetricsFactory
        private let requests: Mutex<[Int: Counter]> = Mutex([:])

        init(key: Key, factory: any MetricsFactory) {
            adapter = key.adapter
            repository = key.repository
            self.factory = factory
            let labels = [("tool", key.adapter), ("repository", key.repository)]
            hits = Counter(label: "larder_hits_total", dimensions: labels, factory: factory)
            misses = Counter(label: "larder_misses_total", dimensions: labels, factory: factory)
            bytesIn = Counter(label: "larder_received_bytes_total", dimensions: labels, factory: factory)
            bytesOut = Counter(label: "larder_sent_bytes_total", dimensions: labels, factory: factory)
            duration = Timer(
                label: "larder_request_duration_seconds",
                dimensions: [("tool", key.adapter)],
                factory: factory
            )
        }

        func countRead(isHit: Bool) {
            (isHit ? hits : misses).increment()
            if isHit {
                hitCount.wrappingAdd(1, ordering: .relaxed)
            } else {
                missCount.wrappingAdd(1, ordering: .relaxed)
            }
        }

        var reads: (hits: Int64, misses: Int64) {
            (hitCount.load(ordering: .relaxed), missCount.load(ordering: .relaxed))
        }

        /// The counter of a method and a class of status; there are at most ten methods and five classes.
        func requests(_ method: RequestMethod, status: Int) -> Counter {
            let statusClass = min(max(status / 100, 1), 5)
            let index = statusClass << 8 | method.index
            return requests.withLock { requests in
                if let counter = requests[index] { return counter }
                let labels = [
                    ("tool", adapter), ("repository", repository), ("method", method.rawValue),
                    ("status", "\(statusClass)xx"),
                ]
                let counter = Counter(label: "larder_requests_total", dimensions: labels, factory: factory)
                requests[index] = counter
                return counter
            }
        }
    }

    private let factory: any MetricsFactory
    private let series: Mutex<[Key: Series]> = Mutex([:])

    package init(factory: any MetricsFactory) {
        self.factory = factory
    }

    /// Hits and misses since the start by tool and repository.
    package var hitRates: [(tool: String, repository: String, hits: Int64, misses: Int64)] {
        let all = series.withLock { Array($0.values) }
        return all.map { ($0.adapter, $0.repository, $0.reads.hits, $0.reads.misses) }
            .filter { $0.hits + $0.misses > 0 }
            .sorted { ($0.tool, $0.repository) < ($1.tool, $1.repository) }
    }

    func series(adapter: String, repository: String) -> Series {
        series.withLock { series in
            let key = Key(adapter: adapter, repository: repository)
            if let existing = series[key] { return existing }
            let isFull = series.count >= Self.repositoryLabelsMax && repository != "other"
            let bounded = isFull ? Key(adapter: adapter, repository: "other") : key
            if let existing = series[bounded] { return existing }
            let new = Series(key: bounded, factory: factory)
            series[bounded] = new
            return new
        }
    }
}

extension RequestMethod {
    fileprivate var index: Int {
        switch self {
        case .get: 0
        case .head: 1
        case .put: 2
        case .post: 3
        case .delete: 4
        case .options: 5
        case .patch: 6
        case .propfind: 7
        case .mkcol: 8
        case .other: 9
        }
    }
}
