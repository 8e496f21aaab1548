import CoreMetrics
import LarderCore
import LarderHTTP
import LarderStore

/// The gauges of the store, read when they are asked for.
enum StoreMetrics {
    /// Updates the gauges and returns all metrics as text.
    static func update(_ registry: PrometheusRegistry, from store: Store) async -> String {
        guard let status = try? await store.status() else { return registry.text }
        func set(_ label: String, _ value: some BinaryInteger) {
            Meter(label: label, factory: registry).set(Int64(value))
        }
        set("larder_store_used_bytes", status.balance.used)
        set("larder_store_reserved_bytes", status.balance.reserved)
        set("larder_store_capacity_bytes", status.capacity.bytes)
        set("larder_store_blobs", status.blobCount)
        set("larder_store_quarantined_blobs", status.quarantinedCount)
        set("larder_store_scrubbed_files", status.scrubbedCount)
        set("larder_disk_free_bytes", status.balance.disk.free)
        set("larder_hot_set_bytes", status.hotSetBytes)
        set("larder_committer_queue_length", status.queueLength)
        set("larder_wal_bytes", status.walBytes)
        set("larder_evicted_bytes", status.evicted.bytes)
        set("larder_evictions", status.evicted.count)
        set("larder_refused_for_space", status.evicted.refusals)
        set("larder_last_evicted_age_seconds", status.evicted.lastEvictedAge?.components.seconds ?? 0)
        set("larder_oldest_kept_age_seconds", status.oldestKeptAge?.components.seconds ?? 0)
        // The oldest repositories have series of their own, so that which these are does not change with every new name.
        let shown = status.repositories.sorted { $0.id < $1.id }.prefix(HTTPMetrics.repositoryLabelsMax)
        registry.replaceGauges(
            label: "larder_repository_used_bytes",
            with: shown.map { ([("repository", $0.name.text)], Double($0.usedBytes)) }
        )
        registry.replaceGauges(
            label: "larder_repository_entries",
            with: shown.map { ([("repository", $0.name.text)], Double($0.entryCount)) }
        )
        return registry.text
    }
}
