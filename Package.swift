// swift-tools-version: 6.2
import PackageDescription

// The rooms and what each may import are explained in Sources/README.md. CI builds with
// --explicit-target-dependency-import-check=error, so this file is the architecture's guard.

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let grdbSQLite = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let hummingbird = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "CoreMetrics", package: "swift-metrics")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioExtras = Target.Dependency.product(name: "NIOExtras", package: "swift-nio-extras")
let nioFoundationCompat = Target.Dependency.product(name: "NIOFoundationCompat", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioHTTPTypesHTTP1 = Target.Dependency.product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

/// One protocol: its folder under Sources/Adapters, and what it needs beyond the shared rooms.
func adapter(_ name: String, also: [Target.Dependency] = []) -> Target {
    .target(
        name: "\(name)Adapter",
        dependencies: ["LarderCore", "LarderStore", "LarderHTTP", hummingbird, httpTypes, nioCore, logging] + also,
        path: "Sources/Adapters/\(name)",
        exclude: ["README.md"],
    )
}

func adapterTests(_ name: String, also: [Target.Dependency] = [], exclude: [String] = []) -> Target {
    .testTarget(
        name: "\(name)AdapterTests",
        dependencies: ["LarderTestSupport", "LarderCore", "LarderStore", "LarderHTTP", .target(name: "\(name)Adapter")]
            + also,
        path: "Tests/Adapters/\(name)Tests",
        exclude: exclude,
    )
}

let package = Package(
    name: "larder",
    products: [.executable(name: "larder", targets: ["larder"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .target(name: "LarderCore", dependencies: [crypto]),
        .target(name: "LarderRetention", dependencies: ["LarderCore", yams], exclude: ["README.md"]),
        .target(name: "LarderBlobs", dependencies: ["LarderCore", nioPosix]),
        .target(
            name: "LarderMigrations",
            path: "Migrations",
            exclude: ["README.md"],
            resources: [
                .embedInCode("0001_create_store.sql"),
                .embedInCode("0002_create_entries.sql"),
                .embedInCode("0003_create_uploads.sql"),
                .embedInCode("0004_create_manifests.sql"),
                .embedInCode("0005_create_retention.sql"),
                .embedInCode("0006_create_scopes.sql"),
                .embedInCode("0007_create_tokens.sql"),
            ],
        ),
        .target(name: "LarderMetadata", dependencies: ["LarderCore", "LarderMigrations", grdb, grdbSQLite]),
        .target(
            name: "LarderStore",
            dependencies: [
                "LarderCore", "LarderRetention", "LarderBlobs", "LarderMetadata", nioCore, lifecycle, logging, metrics,
            ],
        ),
        .target(
            name: "LarderHTTP",
            dependencies: [
                "LarderCore", "LarderStore", hummingbird, httpTypes, logging, metrics, nioCore, nioExtras,
                nioHTTP1, nioHTTPTypes, nioHTTPTypesHTTP1, crypto,
            ],
        ),
        .target(
            name: "BazelHTTPMessages",
            dependencies: [protobuf],
            path: "Sources/Adapters/BazelHTTPMessages",
            exclude: ["action_result.proto"],
        ),
        .systemLibrary(name: "CZlib"),
        .target(name: "LarderArchive", dependencies: ["CZlib", "LarderCore"]),
        .target(name: "APIMessages", path: "Sources/Adapters/APIMessages"),
        adapter("API", also: ["APIMessages", "LarderArchive"]),
        adapter("BazelHTTP", also: ["BazelHTTPMessages", protobuf]),
        adapter("Ccache"),
        adapter("Gradle"),
        adapter("Maven"),
        adapter("OCI"),
        adapter("Sccache"),
        .systemLibrary(name: "CMalloc"),
        .target(
            name: "LarderServer",
            dependencies: [
                "APIAdapter", "BazelHTTPAdapter", "CMalloc", "CcacheAdapter", "GradleAdapter", "LarderBlobs",
                "LarderCore", "LarderHTTP", "LarderRetention", "LarderStore", "MavenAdapter", "OCIAdapter",
                "SccacheAdapter", hummingbird, lifecycle, logging, metrics, nioCore, nioPosix, unixSignals, yams,
            ],
        ),
        .target(
            name: "LarderClient",
            dependencies: [
                "APIMessages", "LarderArchive", "LarderCore", asyncHTTPClient, nioCore, nioFoundationCompat, nioHTTP1,
                yams,
            ],
        ),
        .executableTarget(
            name: "larder",
            dependencies: [
                "APIMessages", "LarderClient", "LarderCore", "LarderServer", argumentParser, logging, unixSignals,
            ],
        ),
        .target(
            name: "LarderTestSupport",
            dependencies: [
                "LarderBlobs", "LarderCore", "LarderStore", asyncHTTPClient, lifecycle, logging, nioCore, nioHTTP1,
            ],
            path: "Tests/Support",
        ),
        .testTarget(
            name: "LarderCoreTests",
            dependencies: ["LarderCore", "LarderTestSupport"]
        ),
        .testTarget(
            name: "LarderArchiveTests",
            dependencies: ["LarderArchive", "LarderCore", "LarderTestSupport"]
        ),
        .testTarget(
            name: "LarderRetentionTests",
            dependencies: ["LarderCore", "LarderRetention", "LarderTestSupport"]
        ),
        .testTarget(
            name: "LarderBlobsTests",
            dependencies: ["LarderBlobs", "LarderCore", "LarderTestSupport"]
        ),
        .testTarget(
            name: "LarderMetadataTests",
            dependencies: ["LarderCore", "LarderMetadata", "LarderMigrations", "LarderTestSupport", grdb],
            exclude: ["schema.txt"]
        ),
        .testTarget(
            name: "LarderStoreTests",
            dependencies: [
                "LarderBlobs", "LarderCore", "LarderMetadata", "LarderRetention", "LarderStore", "LarderTestSupport",
                lifecycle, logging, nioCore, nioPosix,
            ]
        ),
        .testTarget(
            name: "LarderHTTPTests",
            dependencies: [
                "LarderCore", "LarderHTTP", "LarderStore", "LarderTestSupport", httpTypes, hummingbird, nioCore,
                nioHTTP1,
            ]
        ),
        .testTarget(
            name: "LarderServerTests",
            dependencies: [
                "LarderCore", "LarderHTTP", "LarderRetention", "LarderServer", "LarderStore", "LarderTestSupport",
                logging, metrics,
            ]
        ),
        .testTarget(
            name: "LarderClientTests",
            dependencies: ["APIMessages", "LarderClient", "LarderCore", "LarderTestSupport", asyncHTTPClient, nioCore]
        ),
        adapterTests("API", also: ["APIMessages", "LarderArchive"]),
        adapterTests("BazelHTTP", also: ["BazelHTTPMessages", protobuf]),
        adapterTests("Ccache"),
        adapterTests("Gradle"),
        adapterTests("Maven"),
        adapterTests("OCI", exclude: ["conformance.py", "conformance"]),
        adapterTests("Sccache"),
    ]
)

for target in package.targets where target.type != .system {
    target.swiftSettings =
        (target.swiftSettings ?? []) + [
            .swiftLanguageMode(.v6),
            .enableUpcomingFeature("ExistentialAny"),
            .enableUpcomingFeature("MemberImportVisibility"),
            .enableUpcomingFeature("InternalImportsByDefault"),
            .treatAllWarnings(as: .error),
        ]
}
