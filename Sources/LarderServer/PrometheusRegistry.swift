package import CoreMetrics
import Synchronization

/// Collects swift-metrics' counters, gauges and timers, and writes them in Prometheus' text format (version 0.0.4).
package final class PrometheusRegistry: MetricsFactory {
    private struct Key: Hashable {
        let label: String
        let dimensions: [String]
    }

    private struct State {
        var counters: [Key: PrometheusCounter] = [:]
        var gauges: [Key: PrometheusGauge] = [:]
        var histograms: [Key: PrometheusHistogram] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        let key = Key(label: label, dimensions: Self.write(dimensions))
        return state.withLock { state in
            if let counter = state.counters[key] { return counter }
            let counter = PrometheusCounter()
            state.counters[key] = counter
            return counter
        }
    }

    package func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler {
        let key = Key(label: label, dimensions: Self.write(dimensions))
        return state.withLock { state in
            if let gauge = state.gauges[key] { return gauge }
            let gauge = PrometheusGauge()
            state.gauges[key] = gauge
            return gauge
        }
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        let key = Key(label: label, dimensions: Self.write(dimensions))
        return state.withLock { state in
            if let gauge = state.gauges[key] { return gauge }
            let gauge = PrometheusGauge()
            state.gauges[key] = gauge
            return gauge
        }
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        let key = Key(label: label, dimensions: Self.write(dimensions))
        return state.withLock { state in
            if let histogram = state.histograms[key] { return histogram }
            let histogram = PrometheusHistogram()
            state.histograms[key] = histogram
            return histogram
        }
    }

    /// Sets all gauges of a label: those that are not named go.
    func replaceGauges(label: String, with values: [(dimensions: [(String, String)], value: Double)]) {
        state.withLock { state in
            state.gauges = state.gauges.filter { $0.key.label != label }
            for (dimensions, value) in values {
                let gauge = PrometheusGauge()
                gauge.set(value)
                state.gauges[Key(label: label, dimensions: Self.write(dimensions))] = gauge
            }
        }
    }

    // What is forgotten by its user stays for the next scrape: labels are bounded by whoever makes them.
    package func destroyCounter(_ handler: any CounterHandler) {}
    package func destroyRecorder(_ handler: any RecorderHandler) {}
    package func destroyMeter(_ handler: any MeterHandler) {}
    package func destroyTimer(_ handler: any TimerHandler) {}

    /// All series as text, sorted, each family with its type.
    package var text: String {
        let (counters, gauges, histograms) = state.withLock { ($0.counters, $0.gauges, $0.histograms) }
        var text = ""
        write(counters, type: "counter", into: &text) { key, counter, text in
            text += "\(Self.name(key.label, key.dimensions)) \(counter.value)\n"
        }
        write(gauges, type: "gauge", into: &text) { key, gauge, text in
            text += "\(Self.name(key.label, key.dimensions)) \(Self.number(gauge.value))\n"
        }
        write(histograms, type: "histogram", into: &text) { key, histogram, text in
            let (buckets, count, sum) = histogram.values
            for (bound, value) in zip(PrometheusHistogram.bounds, buckets) {
                text += "\(Self.name(key.label + "_bucket", key.dimensions + ["le=\"\(bound)\""])) \(value)\n"
            }
            text += "\(Self.name(key.label + "_bucket", key.dimensions + ["le=\"+Inf\""])) \(count)\n"
            text += "\(Self.name(key.label + "_sum", key.dimensions)) \(sum)\n"
            text += "\(Self.name(key.label + "_count", key.dimensions)) \(count)\n"
        }
        return text
    }

    private func write<Handler>(
        _ series: [Key: Handler],
        type: String,
        into text: inout String,
        line: (Key, Handler, inout String) -> Void
    ) {
        var family = ""
        let sorted = series.sorted {
            ($0.key.label, $0.key.dimensions.joined()) < ($1.key.label, $1.key.dimensions.joined())
        }
        for (key, handler) in sorted {
            if key.label != family {
                family = key.label
                text += "# TYPE \(family) \(type)\n"
            }
            line(key, handler, &text)
        }
    }

    private static func write(_ dimensions: [(String, String)]) -> [String] {
        dimensions.map { name, value in
            let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
            return "\(name)=\"\(escaped)\""
        }
    }

    private static func name(_ label: String, _ dimensions: [String]) -> String {
        dimensions.isEmpty ? label : "\(label){\(dimensions.joined(separator: ","))}"
    }

    private static func number(_ value: Double) -> String {
        Int64(exactly: value).map { "\($0)" } ?? "\(value)"
    }
}

final class PrometheusCounter: CounterHandler {
    private let count = Atomic<Int64>(0)

    var value: Int64 { count.load(ordering: .relaxed) }

    func increment(by amount: Int64) { count.wrappingAdd(amount, ordering: .relaxed) }
    func reset() { count.store(0, ordering: .relaxed) }
}

final class PrometheusGauge: RecorderHandler, MeterHandler {
    private let bits = Atomic<UInt64>(0)

    var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }
    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    func increment(by amount: Double) { change(by: amount) }
    func decrement(by amount: Double) { change(by: -amount) }

    private func change(by amount: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (isExchanged, seen) = bits.compareExchange(expected: old, desired: new, ordering: .relaxed)
            if isExchanged { return }
            old = seen
        }
    }
}

/// Latencies from 100 µs to 100 s.
final class PrometheusHistogram: TimerHandler {
    /// Upper bounds in seconds.
    static let bounds: [Double] = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100]
    private static let boundsInNanoseconds = bounds.map { Int64($0 * 1e9) }

    private struct State {
        var buckets = [Int64](repeating: 0, count: PrometheusHistogram.bounds.count + 1)
        var sum: Int64 = 0
    }

    private let state = Mutex(State())

    func recordNanoseconds(_ duration: Int64) {
        let index = Self.boundsInNanoseconds.firstIndex { duration <= $0 } ?? Self.bounds.count
        state.withLock { state in
            state.buckets[index] += 1
            state.sum += duration
        }
    }

    /// Cumulative buckets, count and sum in seconds.
    var values: (buckets: [Int64], count: Int64, sum: Double) {
        let (buckets, sum) = state.withLock { ($0.buckets, $0.sum) }
        var total: Int64 = 0
        let cumulative = buckets.map { count -> Int64 in
            total += count
            return total
        }
        return (Array(cumulative.dropLast()), total, Double(sum) / 1e9)
    }
}
