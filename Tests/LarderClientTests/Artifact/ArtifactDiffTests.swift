import APIMessages
import LarderClient
import LarderCore
import Testing

/// What differs between two versions is told path by path.
@Suite struct ArtifactDiffTests {
    private let old = makeVersion(
        files: [
            makeFileMessage("changed", 1), makeFileMessage("gone", 2), makeFileMessage("mode", 3),
            makeFileMessage("same", 4),
        ],
        links: [.init(path: "link", target: "a"), .init(path: "was-link", target: "x")]
    )
    private let new = makeVersion(
        files: [
            makeFileMessage("added", 5), makeFileMessage("changed", 6, size: 9),
            makeFileMessage("mode", 3, mode: "755"),
            makeFileMessage("same", 4), makeFileMessage("was-link", 7),
        ],
        links: [.init(path: "link", target: "b")],
        folders: [.init(path: "empty", mode: "755")]
    )

    @Test func addedRemovedAndChangedAreToldApart() {
        let diff = ArtifactDiff(from: old, to: new)
        #expect(diff.added.map(\.path) == ["added", "empty"])
        #expect(diff.removed.map(\.path) == ["gone"])
        #expect(diff.changed.map(\.path) == ["changed", "link", "mode", "was-link"])
        #expect(diff.changed[0].from?.size == 1)
        #expect(diff.changed[0].to?.size == 9)
        #expect(diff.changed[1].to?.target == "b")
        #expect(diff.changed[2].to?.mode == "755")
        #expect(diff.changed[3].from?.kind == "link")
        #expect(diff.changed[3].to?.kind == "file")
    }

    @Test func pathsInDifferentBytesAreDifferent() {
        let decomposed = makeVersion(
            files: [makeFileMessage("e\u{301}", 1)],
            links: [.init(path: "l", target: "e\u{301}")]
        )
        let composed = makeVersion(files: [makeFileMessage("\u{e9}", 1)], links: [.init(path: "l", target: "\u{e9}")])
        let diff = ArtifactDiff(from: decomposed, to: composed)
        #expect(diff.removed.map { PathKey($0.path) } == [PathKey("e\u{301}")])
        #expect(diff.added.map { PathKey($0.path) } == [PathKey("\u{e9}")])
        #expect(diff.changed.map(\.path) == ["l"])
    }

    @Test func aVersionDoesNotDifferFromItself() {
        #expect(ArtifactDiff(from: new, to: new).isEmpty)
    }

    @Test func thereAndBackChangeSides() {
        let (there, back) = (ArtifactDiff(from: old, to: new), ArtifactDiff(from: new, to: old))
        #expect(there.added.map(\.path) == back.removed.map(\.path))
        #expect(there.changed.map(\.path) == back.changed.map(\.path))
    }
}
