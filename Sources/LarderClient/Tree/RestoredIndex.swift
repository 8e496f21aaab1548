import LarderCore

/// What the index may know after a restore, so that the next scan need not read the files again.
struct RestoredIndex {
    let plan: RestorePlan
    let places: [RestorePlace]
    let local: ScannedTree?
    let made: [RestoreQueue.Made]
    /// Entries that were moved together with their folder: a file that is moved by itself has another time of change.
    let moved: [Range<Int>]
    /// By the file system's clock, before anything was put in place.
    let moment: Int64

    /// Writes the index of every root where something was done.
    func save(in index: TreeIndex) {
        guard plan.hasWork.contains(true) else { return }
        let stamps = stamps()
        let devices = ForeignDevices()
        let localRanges = local?.tree.ranges ?? []
        for (root, range) in plan.tree.ranges.enumerated() where !range.isEmpty && plan.hasWork[range.lowerBound] {
            let text = places[root].location.text
            let other = local?.locations.firstIndex { $0.text == text }
            let others = other.map { localRanges[$0] } ?? 0..<0
            let items = items(range, stamps: stamps, others: others).filter { !devices.contains($0.stamp.device) }
            index.save(items, root: places[root].location.path)
        }
    }

    /// For each entry what the system says of the file that was made; nil: not known.
    private func stamps() -> [FileStamp?] {
        var stamps = [FileStamp?](repeating: nil, count: plan.tree.entries.count)
        for file in made { stamps[file.entry] = file.stamp }
        var isMoved = [Bool](repeating: false, count: stamps.count)
        for range in moved {
            for index in range { isMoved[index] = true }
        }
        for index in stamps.indices where !isMoved[index] { stamps[index] = nil }
        return stamps
    }

    /// What was made or kept of the tree, and the files that were there besides, in the order of their paths.
    private func items(_ range: Range<Int>, stamps: [FileStamp?], others: Range<Int>) -> [TreeIndex.Item] {
        var items: [TreeIndex.Item] = []
        items.reserveCapacity(max(range.count, others.count))
        var other = others.lowerBound
        for index in range {
            let entry = plan.tree.entries[index]
            while let local, other < others.upperBound, FileTree.precedes(local.tree.entries[other].path, entry.path) {
                add(other, to: &items)
                other += 1
            }
            if let local, other < others.upperBound, PathKey(local.tree.entries[other].path) == PathKey(entry.path) {
                if plan.actions[index] == .keep { add(other, to: &items) }
                other += 1
            }
            guard case .file(let digest, _) = entry.content, let stamp = stamps[index],
                stamp.wouldShowChange(since: moment)
            else { continue }
            items.append(TreeIndex.Item(path: entry.path, stamp: stamp, digest: digest))
        }
        while other < others.upperBound {
            add(other, to: &items)
            other += 1
        }
        return items
    }

    private func add(_ other: Int, to items: inout [TreeIndex.Item]) {
        guard let local, let moment = local.moment, case .file(let digest, _) = local.tree.entries[other].content,
            local.stamps[other].wouldShowChange(since: moment)
        else { return }
        items.append(
            TreeIndex.Item(path: local.tree.entries[other].path, stamp: local.stamps[other], digest: digest)
        )
    }
}
