import LarderClient
import LarderCore
import Testing

/// Files become layers of their own, and above the limits the largest folders become one each.
@Suite struct ArtifactPlanTests {
    private func paths(_ count: Int, in folder: String) -> [String] { (0..<count).map { "\(folder)/\($0)" } }

    private func plan(_ paths: [String], annotations: [String: String] = [:]) throws -> ArtifactPlan {
        try ArtifactPlan(try ArtifactFiles(files: makeFiles(paths)), annotations: annotations)
    }

    @Test func fourThousandFilesAreLayersOfTheirOwn() throws {
        let plan = try plan(paths(4_000, in: "a"))
        #expect(plan.bundles.isEmpty)
        #expect(plan.loose.files.count == 4_000)
    }

    @Test func oneFileMoreMakesABundle() throws {
        let plan = try plan(paths(4_001, in: "a"))
        #expect(plan.bundles.map(\.folder) == ["a"])
        #expect(plan.bundles[0].content.files.count == 4_001)
        #expect(plan.loose.isEmpty)
    }

    @Test func theFolderWithMostFilesGoesFirstAndOnlyAsManyAsNeeded() throws {
        let all = paths(2_000, in: "a") + paths(2_500, in: "b") + paths(1_500, in: "c") + ["readme"]
        let plan = try plan(all)
        #expect(plan.bundles.map(\.folder) == ["b"])
        #expect(plan.loose.files.count == 3_501)
    }

    @Test func ofEqualFoldersTheFirstByNameGoes() throws {
        let plan = try plan(paths(2_001, in: "z") + paths(2_001, in: "m"))
        #expect(plan.bundles.map(\.folder) == ["m"])
    }

    @Test func foldersInDifferentBytesAreDifferentBundles() throws {
        let plan = try plan(paths(2_001, in: "e\u{301}") + paths(2_001, in: "\u{e9}"))
        #expect(plan.bundles.map { PathKey($0.folder) } == [PathKey("e\u{301}")])
        #expect(plan.bundles[0].content.files.count == 2_001)
        #expect(plan.loose.files.count == 2_001)
    }

    @Test func aBundleIsALayerToo() throws {
        let folders = (0..<10).flatMap { paths(2_000, in: "f\($0)") }
        let plan = try plan(folders)
        #expect(plan.bundles.count == 9)
        #expect(plan.loose.files.count + plan.bundles.count <= ArtifactPlan.layerCountMax)
    }

    @Test func longPathsMakeBundlesOfFewerFiles() throws {
        let long = String(repeating: "x", count: 250)
        let folder = (0..<15).map { _ in long }.joined(separator: "/")
        let plan = try plan((0..<1_200).map { "a/\(folder)/\($0)" } + paths(1_300, in: "b") + ["c"])
        // The one with most files goes first, and then the one that matters.
        #expect(plan.bundles.map(\.folder) == ["a", "b"])
        #expect(plan.loose.files.map(\.path) == ["c"])
    }

    @Test func tooManyFilesInNoFolderAreAnErrorThatSaysWhatToDo() throws {
        let error = #expect(throws: ClientError.self) { try plan((0..<4_001).map { "\($0)" }) }
        #expect(try #require(error).description.contains("put them into a folder"))
    }

    @Test func labelsAloneMayBeTooLarge() throws {
        let value = String(repeating: "v", count: 5 << 20)
        let error = #expect(throws: ClientError.self) { try plan(["a"], annotations: ["label": value]) }
        #expect(try #require(error).description.contains("labels"))
    }

    @Test func linksAndFoldersGoWithTheirFolder() throws {
        let files = try ArtifactFiles(
            files: makeFiles(paths(4_001, in: "a") + ["b/x"]),
            links: [
                .init(path: "a/link", target: "0"), .init(path: "b/link", target: "x"), .init(path: "top", target: "b"),
            ],
            folders: [
                .init(path: "a", mode: 0o700), .init(path: "a/empty", mode: 0o755), .init(path: "e", mode: 0o755),
            ]
        )
        let plan = try ArtifactPlan(files, annotations: [:])
        #expect(plan.bundles[0].content.links.map(\.path) == ["a/link"])
        #expect(plan.bundles[0].content.folders.map(\.path) == ["a", "a/empty"])
        #expect(plan.loose.links.map(\.path) == ["b/link", "top"])
        #expect(plan.loose.folders.map(\.path) == ["e"])
    }

    @Test func theOrderOfFilesDoesNotMatter() throws {
        let all = paths(2_100, in: "a") + paths(2_100, in: "b")
        #expect(try plan(all) == plan(all.reversed()))
    }
}
