import CoreMetrics
import LarderServer
import Testing

/// The text format of Prometheus, version 0.0.4.
@Suite struct PrometheusRegistryTests {
    @Test func registryWithoutSeriesIsEmpty() {
        #expect(PrometheusRegistry().text.isEmpty)
    }

    @Test func countersAreSortedUnderTheirType() {
        let registry = PrometheusRegistry()
        registry.makeCounter(label: "larder_requests_total", dimensions: [("adapter", "gradle")]).increment(by: 2)
        registry.makeCounter(label: "larder_requests_total", dimensions: [("adapter", "bazel"), ("code", "200")])
            .increment(by: 40)
        registry.makeCounter(label: "larder_evictions_total", dimensions: []).increment(by: 7)
        #expect(
            registry.text == """
                # TYPE larder_evictions_total counter
                larder_evictions_total 7
                # TYPE larder_requests_total counter
                larder_requests_total{adapter="bazel",code="200"} 40
                larder_requests_total{adapter="gradle"} 2

                """
        )
    }

    @Test func sameNameAndLabelsAreTheSameSeries() {
        let registry = PrometheusRegistry()
        for _ in 0..<3 {
            registry.makeCounter(label: "c", dimensions: [("a", "1")]).increment(by: 2)
            registry.makeMeter(label: "g", dimensions: []).increment(by: 1.5)
            registry.makeTimer(label: "t", dimensions: []).recordNanoseconds(1)
        }
        #expect(registry.text.contains("c{a=\"1\"} 6\n"))
        #expect(registry.text.contains("g 4.5\n"))
        #expect(registry.text.contains("t_count 3\n"))
    }

    @Test func counterCanBeReset() {
        let registry = PrometheusRegistry()
        let counter = registry.makeCounter(label: "c", dimensions: [])
        counter.increment(by: 5)
        counter.reset()
        #expect(registry.text == "# TYPE c counter\nc 0\n")
    }

    @Test(arguments: [
        (value: "plain", written: "plain"),
        (value: "a\"b", written: "a\\\"b"),
        (value: "a\\b", written: "a\\\\b"),
        (value: "a\nb", written: "a\\nb"),
        (value: "\\n", written: "\\\\n"),
        (value: "\\\"\n", written: "\\\\\\\"\\n"),
        (value: "{x=\"1\"}", written: "{x=\\\"1\\\"}"),
        (value: "päckchen", written: "päckchen"),
        (value: "", written: ""),
    ])
    func labelValuesAreEscaped(value: String, written: String) {
        let registry = PrometheusRegistry()
        registry.makeCounter(label: "c", dimensions: [("name", value)]).increment(by: 1)
        #expect(registry.text == "# TYPE c counter\nc{name=\"\(written)\"} 1\n")
    }

    @Test(arguments: [
        (value: 0.0, written: "0"), (value: 5, written: "5"), (value: -3, written: "-3"), (value: 1.5, written: "1.5"),
        (value: 21_474_836_480, written: "21474836480"),
    ])
    func gaugesAreWrittenAsTheyWereSet(value: Double, written: String) {
        let registry = PrometheusRegistry()
        registry.makeMeter(label: "g", dimensions: []).set(value)
        #expect(registry.text == "# TYPE g gauge\ng \(written)\n")
    }

    @Test func gaugesGoUpAndDown() {
        let registry = PrometheusRegistry()
        let gauge = registry.makeMeter(label: "g", dimensions: [])
        gauge.set(Int64(10))
        gauge.increment(by: 5)
        gauge.decrement(by: 7.5)
        #expect(registry.text == "# TYPE g gauge\ng 7.5\n")
    }

    @Test func recorderShowsWhatWasRecordedLast() {
        let registry = PrometheusRegistry()
        let recorder = registry.makeRecorder(label: "r", dimensions: [], aggregate: false)
        recorder.record(Int64(3))
        recorder.record(2.5)
        #expect(registry.text == "# TYPE r gauge\nr 2.5\n")
    }

    @Test func bucketsOfATimerAreCumulative() {
        let registry = PrometheusRegistry()
        let timer = registry.makeTimer(label: "larder_request_seconds", dimensions: [("adapter", "bazel")])
        for nanoseconds in [Int64(50_000), 250_000, 250_000, 2_000_000, 500_000_000, 200_000_000_000] {
            timer.recordNanoseconds(nanoseconds)
        }
        #expect(
            registry.text == """
                # TYPE larder_request_seconds histogram
                larder_request_seconds_bucket{adapter="bazel",le="0.0001"} 1
                larder_request_seconds_bucket{adapter="bazel",le="0.0003"} 3
                larder_request_seconds_bucket{adapter="bazel",le="0.001"} 3
                larder_request_seconds_bucket{adapter="bazel",le="0.003"} 4
                larder_request_seconds_bucket{adapter="bazel",le="0.01"} 4
                larder_request_seconds_bucket{adapter="bazel",le="0.03"} 4
                larder_request_seconds_bucket{adapter="bazel",le="0.1"} 4
                larder_request_seconds_bucket{adapter="bazel",le="0.3"} 4
                larder_request_seconds_bucket{adapter="bazel",le="1.0"} 5
                larder_request_seconds_bucket{adapter="bazel",le="3.0"} 5
                larder_request_seconds_bucket{adapter="bazel",le="10.0"} 5
                larder_request_seconds_bucket{adapter="bazel",le="30.0"} 5
                larder_request_seconds_bucket{adapter="bazel",le="100.0"} 5
                larder_request_seconds_bucket{adapter="bazel",le="+Inf"} 6
                larder_request_seconds_sum{adapter="bazel"} 200.50255
                larder_request_seconds_count{adapter="bazel"} 6

                """
        )
    }

    @Test func timerWithoutLabelsHasTheBoundOnly() {
        let registry = PrometheusRegistry()
        _ = registry.makeTimer(label: "t", dimensions: [])
        let lines = registry.text.split(separator: "\n").map { String($0) }
        #expect(lines.count == 17)
        #expect(lines[1] == "t_bucket{le=\"0.0001\"} 0")
        #expect(lines[14] == "t_bucket{le=\"+Inf\"} 0")
        #expect(lines[15] == "t_sum 0.0")
        #expect(lines[16] == "t_count 0")
    }

    /// `le` means less than or equal.
    @Test(arguments: [
        (bound: "0.0001", nanoseconds: Int64(100_000)),
        (bound: "0.0003", nanoseconds: 300_000),
        (bound: "0.001", nanoseconds: 1_000_000),
        (bound: "0.003", nanoseconds: 3_000_000),
        (bound: "0.01", nanoseconds: 10_000_000),
        (bound: "0.03", nanoseconds: 30_000_000),
        (bound: "0.1", nanoseconds: 100_000_000),
        (bound: "0.3", nanoseconds: 300_000_000),
        (bound: "1.0", nanoseconds: 1_000_000_000),
        (bound: "3.0", nanoseconds: 3_000_000_000),
        (bound: "10.0", nanoseconds: 10_000_000_000),
        (bound: "30.0", nanoseconds: 30_000_000_000),
        (bound: "100.0", nanoseconds: 100_000_000_000),
    ])
    func boundBelongsToItsBucket(bound: String, nanoseconds: Int64) {
        let registry = PrometheusRegistry()
        let timer = registry.makeTimer(label: "t", dimensions: [])
        timer.recordNanoseconds(nanoseconds + 1)
        #expect(registry.text.contains("t_bucket{le=\"\(bound)\"} 0\n"))
        timer.recordNanoseconds(nanoseconds)
        #expect(registry.text.contains("t_bucket{le=\"\(bound)\"} 1\n"))
    }

    @Test func kindsFollowEachOther() {
        let registry = PrometheusRegistry()
        registry.makeMeter(label: "a", dimensions: []).set(Int64(1))
        registry.makeCounter(label: "b", dimensions: []).increment(by: 1)
        registry.makeTimer(label: "c", dimensions: []).recordNanoseconds(1)
        let types = registry.text.split(separator: "\n").filter { $0.hasPrefix("#") }.map { String($0) }
        #expect(types == ["# TYPE b counter", "# TYPE a gauge", "# TYPE c histogram"])
    }

    @Test func eachFamilyHasItsTypeOnce() {
        let registry = PrometheusRegistry()
        for adapter in ["a", "b", "c"] {
            registry.makeTimer(label: "t", dimensions: [("adapter", adapter)]).recordNanoseconds(1)
        }
        #expect(registry.text.split(separator: "\n").filter { $0.hasPrefix("# TYPE") } == ["# TYPE t histogram"])
    }
}
