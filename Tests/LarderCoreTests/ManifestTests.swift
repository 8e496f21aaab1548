import Foundation
import LarderCore
import Testing

private let layerType = "application/vnd.oci.image.layer.v1.tar+gzip"
private let configType = "application/vnd.oci.image.config.v1+json"
private let vendorType = "application/vnd.example.thing.v1+json"

private func digest(_ content: String) -> Digest { IncrementalHasher.digest(of: Array(content.utf8)) }

/// A descriptor of a text; `more` are further members.
private func descriptor(_ content: String, _ type: String = layerType, _ more: String = "") -> String {
    #"{"mediaType":"\#(type)","digest":"\#(digest(content))","size":\#(content.utf8.count)\#(more)}"#
}

/// An image with a configuration and two layers; `more` are further members.
private func imageText(_ type: String? = ManifestType.ociImage, _ more: String = "") -> String {
    let mediaType = type.map { #""mediaType":"\#($0)","# } ?? ""
    let config = descriptor("config", configType)
    let layers = "\(descriptor("one")),\(descriptor("two"))"
    return #"{"schemaVersion":2,\#(mediaType)"config":\#(config),"layers":[\#(layers)]\#(more)}"#
}

/// An index of two images; `more` are further members.
private func indexText(_ type: String? = ManifestType.ociIndex, _ more: String = "") -> String {
    let mediaType = type.map { #""mediaType":"\#($0)","# } ?? ""
    let manifests = "\(descriptor("amd", ManifestType.ociImage)),\(descriptor("arm", ManifestType.ociImage))"
    return #"{"schemaVersion":2,\#(mediaType)"manifests":[\#(manifests)]\#(more)}"#
}

/// An image whose only layer is given as its descriptor's text.
private func imageText(layer: String) -> String {
    let type = ManifestType.ociImage
    return #"{"schemaVersion":2,"mediaType":"\#(type)","config":\#(descriptor("config")),"layers":[\#(layer)]}"#
}

private func parse(_ text: String, as type: String? = nil) throws(StoreError) -> Manifest {
    try Manifest(Array(text.utf8), contentType: type)
}

/// Why a manifest is refused; nil when it is taken.
private func refusal(_ text: String, as type: String? = nil) -> String? {
    do {
        _ = try parse(text, as: type)
        return nil
    } catch {
        guard case .invalidContent(let why) = error else { return "another error: \(error)" }
        return why
    }
}

/// What describes nothing.
private let brokenDescriptors: [String] = [
    "{}", "[]", "\"x\"", "1",
    // One of the three is missing.
    #"{"digest":"\#(digest("one"))","size":3}"#,
    #"{"mediaType":"a/b","size":3}"#,
    #"{"mediaType":"a/b","digest":"\#(digest("one"))"}"#,
    #"{"mediaType":null,"digest":"\#(digest("one"))","size":3}"#,
    #"{"mediaType":"a/b","digest":null,"size":3}"#,
    #"{"mediaType":"a/b","digest":"\#(digest("one"))","size":null}"#,
    // Digests.
    #"{"mediaType":"a/b","digest":"","size":3}"#,
    #"{"mediaType":"a/b","digest":"one","size":3}"#,
    #"{"mediaType":"a/b","digest":"\#(digest("one").hex)","size":3}"#,
    #"{"mediaType":"a/b","digest":"sha256:\#(digest("one").hex.uppercased())","size":3}"#,
    #"{"mediaType":"a/b","digest":"sha256:\#(digest("one").hex.dropLast())","size":3}"#,
    #"{"mediaType":"a/b","digest":"sha512:\#(digest("one").hex)","size":3}"#,
    #"{"mediaType":"a/b","digest":"sha1:a9993e364706816aba3e25717850c26c9cd0d89d","size":3}"#,
    #"{"mediaType":"a/b","digest":7,"size":3}"#,
    // Sizes.
    #"{"mediaType":"a/b","digest":"\#(digest("one"))","size":-1}"#,
    #"{"mediaType":"a/b","digest":"\#(digest("one"))","size":3.0}"#,
    #"{"mediaType":"a/b","digest":"\#(digest("one"))","size":"3"}"#,
    #"{"mediaType":"a/b","digest":"\#(digest("one"))","size":9223372036854775808}"#,
    // Types of members.
    #"{"mediaType":1,"digest":"\#(digest("one"))","size":3}"#,
    #"{"mediaType":"a/b","digest":"\#(digest("one"))","size":3,"urls":"x"}"#,
    #"{"mediaType":"a/b","digest":"\#(digest("one"))","size":3,"platform":"linux"}"#,
    #"{"mediaType":"a/b","digest":"\#(digest("one"))","size":3,"annotations":[]}"#,
    // Keys that come twice.
    #"{"mediaType":"a/b","digest":"\#(digest("one"))","size":3,"size":3}"#,
    #"{"mediaType":"a/b","digest":"\#(digest("one"))","digest":"\#(digest("two"))","size":3}"#,
]

/// Manifests with a part too many or too few.
private let mixtures: [(text: String, why: String)] = [
    (text: imageText(ManifestType.ociImage, #","manifests":[]"#), why: "an image manifest has no \"manifests\""),
    (text: imageText(ManifestType.dockerImage, #","manifests":[]"#), why: "an image manifest has no \"manifests\""),
    (text: indexText(ManifestType.ociIndex, #","layers":[]"#), why: "an index has neither \"layers\" nor a \"config\""),
    (
        text: indexText(ManifestType.dockerList, #","config":\#(descriptor("config"))"#),
        why: "an index has neither \"layers\" nor a \"config\""
    ),
    (
        text: #"{"schemaVersion":2,"mediaType":"\#(ManifestType.ociImage)","layers":[]}"#,
        why: "an image manifest needs a \"config\""
    ),
    (
        text: #"{"schemaVersion":2,"mediaType":"\#(ManifestType.ociImage)","config":\#(descriptor("config"))}"#,
        why: "an image manifest needs \"layers\""
    ),
    (
        text: #"{"schemaVersion":2,"mediaType":"\#(ManifestType.ociIndex)"}"#,
        why: "an index needs \"manifests\""
    ),
    (
        text: #"{"mediaType":"\#(ManifestType.ociIndex)","manifests":[]}"#,
        why: "schemaVersion is not 2"
    ),
    (
        text: #"{"schemaVersion":1,"mediaType":"\#(ManifestType.ociIndex)","manifests":[]}"#,
        why: "schemaVersion is not 2"
    ),
    (
        text: #"{"schemaVersion":null,"mediaType":"\#(ManifestType.ociIndex)","manifests":[]}"#,
        why: "schemaVersion is not 2"
    ),
]

/// Manifests, each with a type that is not its own.
private let disagreements: [(text: String, type: String)] = [
    (text: imageText(), type: ManifestType.ociIndex),
    (text: imageText(), type: ManifestType.dockerImage),
    (text: indexText(), type: ManifestType.ociImage),
    (text: imageText(vendorType), type: ManifestType.ociImage),
    (text: imageText(), type: "application/json"),
    (text: imageText(), type: ""),
]

/// Manifests of docker's first schema, and what pretends to be more.
private let schema1: [(text: String, type: String)] = [
    (text: #"{"schemaVersion":1}"#, type: "application/vnd.docker.distribution.manifest.v1+json"),
    (text: #"{"schemaVersion":1}"#, type: "application/vnd.docker.distribution.manifest.v1+prettyjws"),
    (text: #"{"schemaVersion":1,"fsLayers":[]}"#, type: ManifestType.dockerImage),
    (text: imageText(nil, #","fsLayers":[{"blobSum":"x"}]"#), type: ManifestType.ociImage),
    (text: imageText(nil, #","signatures":[]"#), type: ManifestType.ociImage),
    (text: indexText(nil, #","signatures":{}"#), type: ManifestType.dockerList),
]

/// Artifacts with their effective types.
private let artifacts: [(text: String, type: String)] = [
    (text: imageText(), type: configType),
    (text: imageText(ManifestType.ociImage, #","artifactType":"a/b""#), type: "a/b"),
    (text: indexText(ManifestType.ociIndex, #","artifactType":"a/b""#), type: "a/b"),
    // Empty is as good as missing (image specification 1.1, "artifactType").
    (text: imageText(ManifestType.ociImage, #","artifactType":"""#), type: configType),
]

/// Texts that are not even read.
private let noManifests: [String] = [
    "", " ", "x", "null", "[]", "\"\"", "2", "{", "{}}", "{} {}", "{}x",
    #"{"schemaVersion":"2"}"#, #"{"schemaVersion":2.0}"#, #"{"schemaVersion":2,}"#, #"{"mediaType":5}"#,
    #"{"layers":{}}"#, #"{"manifests":""}"#, #"{"config":[]}"#, #"{"subject":"x"}"#, #"{"artifactType":{}}"#,
    #"{"schemaVersion":2,"schemaVersion":2}"#, #"{"mediaType":"a","mediaType":"a"}"#, #"{"x":1,"x":2}"#,
    #"{"schemaVersion":2,"\u0073chemaVersion":2}"#,
    #"{"annotations":{"a":1}}"#, #"{"annotations":{"a":{}}}"#, #"{"annotations":{"a":null}}"#,
    #"{"annotations":["a"]}"#, #"{"annotations":"a"}"#, #"{"annotations":{"a":"1","a":"2"}}"#,
]

/// Manifests are read for what they refer to, and refused where the specifications rule something out.
@Suite struct ManifestTests {
    @Test(arguments: [ManifestType.ociImage, ManifestType.dockerImage])
    func imageNamesItsConfigurationAndLayers(type: String) throws {
        let image = try parse(imageText(type))
        #expect(image.mediaType == type)
        #expect(!image.isIndex)
        #expect(image.config == Descriptor(mediaType: configType, digest: digest("config"), size: 6))
        #expect(image.layers.map(\.digest) == [digest("one"), digest("two")])
        #expect(image.layers.map(\.size) == [3, 3])
        #expect(image.layers.map(\.mediaType) == [layerType, layerType])
        #expect(image.manifests == [])
        #expect(image.subject == nil)
        #expect(image.artifactType == nil)
        #expect(image.annotationsText == nil)
        #expect(image.blobReferences.map(\.digest) == [digest("config"), digest("one"), digest("two")])
    }

    @Test(arguments: [ManifestType.ociIndex, ManifestType.dockerList])
    func indexNamesItsManifests(type: String) throws {
        let index = try parse(indexText(type))
        #expect(index.mediaType == type)
        #expect(index.isIndex)
        #expect(index.manifests.map(\.digest) == [digest("amd"), digest("arm")])
        #expect(index.layers == [])
        #expect(index.config == nil)
        #expect(index.blobReferences == [])
    }

    @Test func namesThatAreTakenAreTheFourThatHaveRules() {
        #expect(
            ManifestType.all == [
                "application/vnd.oci.image.manifest.v1+json",
                "application/vnd.oci.image.index.v1+json",
                "application/vnd.docker.distribution.manifest.v2+json",
                "application/vnd.docker.distribution.manifest.list.v2+json",
            ]
        )
        #expect(Manifest.sizeLimit == .mebibytes(4))
    }

    @Test func emptyListsAreLists() throws {
        let config = descriptor("{}", "application/vnd.oci.empty.v1+json")
        let image = try parse(#"{"schemaVersion":2,"config":\#(config),"layers":[]}"#, as: ManifestType.ociImage)
        #expect(image.layers == [])
        #expect(image.blobReferences.map(\.digest) == [digest("{}")])
        let index = try parse(#"{"schemaVersion":2,"manifests":[]}"#, as: ManifestType.ociIndex)
        #expect(index.manifests == [])
    }

    @Test func descriptorsTellMoreThanTheyMust() throws {
        let more = #"""
            ,"platform":{"architecture":"arm64","os":"linux","variant":"v8","os.features":["x"]},"artifactType":"a/b",
            "annotations":{"org.opencontainers.image.title":"cli.tar","other":"x"},"urls":["https://e.example/x"],"x":[{}]
            """#
        let layer = try #require(try parse(imageText(layer: descriptor("one", layerType, more))).layers.first)
        #expect(layer.platform == "linux/arm64/v8")
        #expect(layer.artifactType == "a/b")
        #expect(layer.title == "cli.tar")
        #expect(layer.hasURLs)
        let plain = try #require(try parse(imageText(layer: descriptor("one"))).layers.first)
        #expect(plain == Descriptor(mediaType: layerType, digest: digest("one"), size: 3))
    }

    @Test(arguments: [
        (platform: #"{"os":"linux","architecture":"amd64"}"#, text: "linux/amd64"),
        (platform: #"{"architecture":"arm","os":"linux","variant":"v7"}"#, text: "linux/arm/v7"),
        (platform: #"{"os":"unknown","architecture":"unknown"}"#, text: "unknown/unknown"),
        (platform: #"{"os":"windows","architecture":"amd64","os.version":"10.0.1"}"#, text: "windows/amd64"),
    ])
    func platformsAreWrittenAsPeopleDo(platform: String, text: String) throws {
        let child = descriptor("amd", ManifestType.ociImage, #","platform":\#(platform)"#)
        let index = try parse(#"{"schemaVersion":2,"manifests":[\#(child)]}"#, as: ManifestType.ociIndex)
        #expect(index.manifests.first?.platform == text)
    }

    @Test func subjectIsNoContentThatMustBeThere() throws {
        let subject = descriptor("subject", ManifestType.ociImage)
        let more = #","subject":\#(subject)"#
        for text in [imageText(ManifestType.ociImage, more), indexText(ManifestType.ociIndex, more)] {
            let artifact = try parse(text)
            let named = Descriptor(mediaType: ManifestType.ociImage, digest: digest("subject"), size: 7)
            #expect(artifact.subject == named)
            #expect(!artifact.blobReferences.map(\.digest).contains(digest("subject")))
        }
    }

    // MARK: Media types

    @Test(arguments: [imageText(nil), indexText(nil)])
    func typeMayComeFromTheSenderAlone(text: String) throws {
        #expect(refusal(text) == "the manifest names no media type")
        let type = text == imageText(nil) ? ManifestType.dockerImage : ManifestType.ociIndex
        #expect(try parse(text, as: type).mediaType == type)
    }

    @Test func typeMayComeFromTheManifestAlone() throws {
        #expect(try parse(imageText()).mediaType == ManifestType.ociImage)
        #expect(try parse(imageText(), as: ManifestType.ociImage).mediaType == ManifestType.ociImage)
    }

    /// CVE-2021-41190: what a reader takes it for must not depend on whom he believes.
    @Test(arguments: disagreements)
    func senderAndManifestMustAgree(text: String, type: String) {
        #expect(refusal(text, as: type)?.hasPrefix("the manifest was sent as \(type) and calls itself ") == true)
    }

    @Test(arguments: [
        vendorType, "application/vnd.example+json", "application/vnd.example.json",
        "application/vnd.oci.image.thing.v3+json",
    ])
    func unknownTypesOfVendorsAreKeptAsTheyCome(type: String) throws {
        let manifests = #","manifests":[\#(descriptor("amd", ManifestType.ociImage))]"#
        let thing = try parse(imageText(type, manifests))
        #expect(thing.mediaType == type)
        #expect(!thing.isIndex)
        #expect(thing.blobReferences.map(\.digest) == [digest("config"), digest("one"), digest("two")])
        #expect(thing.manifests.map(\.digest) == [digest("amd")])
        // They need not have any part.
        #expect(try parse(#"{"schemaVersion":2}"#, as: type).blobReferences == [])
    }

    @Test(arguments: [
        "", "application/json", "text/plain", "application/octet-stream", "image/png", "vnd.example+json",
        "application/vnd.example", "application/vnd.oci.image.layer.v1.tar+gzip", "application/x-example+json",
        "Application/vnd.example+json",
        // It stands in the head of every answer.
        "application/vnd.a\r\nSet-Cookie: b=c\r\n\r\nHTTP/1.1 200 OK+json", "application/vnd.a\0+json",
        "application/vnd.a b+json", "application/vnd.ä+json", "application/vnd.a;b=c+json",
    ])
    func otherTypesAreNone(type: String) {
        #expect(refusal(imageText(nil), as: type) == "\(type) is no type of a manifest")
    }

    @Test(arguments: schema1)
    func schema1IsNotTaken(text: String, type: String) {
        #expect(
            refusal(text, as: type)
                == "manifests of schema 1 are not taken: push the image with a current client"
        )
    }

    // MARK: Parts

    @Test(arguments: mixtures)
    func partsOfOneKindAreThereAndThoseOfTheOtherAreNot(text: String, why: String) {
        #expect(refusal(text) == why)
    }

    @Test func membersThatAreNullAreAbsent() throws {
        let more = #","manifests":null,"subject":null,"annotations":null,"artifactType":null,"fsLayers":null"#
        let image = try parse(imageText(ManifestType.ociImage, more))
        #expect(image.subject == nil)
        #expect(image.annotationsText == nil)
        #expect(image.artifactType == nil)
        _ = try parse(indexText(ManifestType.ociIndex, #","config":null,"layers":null"#))
        let nulls = #","data":null,"urls":null,"platform":null,"annotations":null,"artifactType":null"#
        let text = imageText(layer: descriptor("one", layerType, nulls))
        let layer = try #require(try parse(text).layers.first)
        #expect(layer == Descriptor(mediaType: layerType, digest: digest("one"), size: 3))
    }

    @Test(arguments: brokenDescriptors)
    func brokenDescriptorsAreRefusedWhereverTheyAre(text: String) {
        for place in [
            imageText(layer: text),
            #"{"schemaVersion":2,"mediaType":"\#(ManifestType.ociIndex)","manifests":[\#(text)]}"#,
            indexText(ManifestType.ociIndex, #","subject":\#(text)"#),
        ] {
            #expect(refusal(place)?.hasPrefix("the manifest can't be read: ") == true)
        }
    }

    @Test func noneOfSeveralDescriptorsMayBeNull() {
        #expect(refusal(imageText(layer: "null")) != nil)
        #expect(refusal(imageText(layer: "\(descriptor("one")),null")) != nil)
    }

    @Test func sizeMayBeZeroOrVeryLarge() throws {
        let sizes = ["0", "9223372036854775807"]
        for size in sizes {
            let layer = #"{"mediaType":"a/b","digest":"\#(digest("one"))","size":\#(size)}"#
            #expect(try parse(imageText(layer: layer)).layers.first?.size == Int64(size))
        }
    }

    // MARK: Embedded data

    private static func withData(_ data: String, of content: String, size: Int? = nil) -> String {
        let size = size ?? content.utf8.count
        return imageText(
            layer: #"{"mediaType":"a/b","digest":"\#(digest(content))","size":\#(size),"data":"\#(data)"}"#
        )
    }

    @Test func embeddedDataAreTakenWhenTheyAreWhatTheDescriptorNames() throws {
        #expect(refusal(Self.withData("b25l", of: "one")) == nil)
        #expect(refusal(Self.withData("", of: "")) == nil)
        #expect(refusal(Self.withData("e30=", of: "{}")) == nil)
        var hasher = IncrementalHasher(alsoSHA512: true)
        Array("one".utf8).withUnsafeBytes { hasher.update($0) }
        let long = try #require(hasher.finalize().last)
        #expect(long.algorithm == .sha512)
        #expect(refusal(imageText(layer: #"{"mediaType":"a/b","digest":"\#(long)","size":3,"data":"b25l"}"#)) == nil)
        #expect(
            refusal(imageText(layer: #"{"mediaType":"a/b","digest":"\#(long)","size":3,"data":"dHdv"}"#))
                == "the manifest can't be read: embedded data have another digest at byte 0"
        )
    }

    @Test(arguments: [
        (data: "dHdv", size: 3, why: "embedded data have another digest"),
        (data: "b25l", size: 4, why: "embedded data are not of the descriptor's size"),
        (data: "b25lMQ==", size: 3, why: "embedded data are not of the descriptor's size"),
        (data: "", size: 3, why: "embedded data are not of the descriptor's size"),
        (data: "b25", size: 3, why: "embedded data are not of the descriptor's size"),
        (data: "not base64!!", size: 3, why: "embedded data are not of the descriptor's size"),
    ])
    func embeddedDataThatAreSomethingElseAreRefused(data: String, size: Int, why: String) {
        let text = Self.withData(data, of: "one", size: size)
        #expect(refusal(text) == "the manifest can't be read: \(why) at byte 0")
    }

    // MARK: Text

    @Test(arguments: noManifests)
    func whatIsNoManifestCantBeRead(text: String) {
        #expect(refusal(text, as: ManifestType.ociImage)?.hasPrefix("the manifest can't be read: ") == true)
    }

    @Test func garbageBehindAManifestIsRefused() {
        #expect(refusal(imageText() + "\n \t") == nil)
        #expect(refusal(imageText() + "x") != nil)
        #expect(refusal(imageText() + imageText()) != nil)
        #expect(refusal(imageText() + "\u{0}") != nil)
    }

    @Test(arguments: [[0xff], [0xc3], [0xc0, 0xaf], [0xed, 0xa0, 0x80]])
    func textIsUTF8AlsoWhereNobodyLooks(broken: [Int]) {
        let parts = imageText(ManifestType.ociImage, #","x":"?""#).split(separator: "?").map { Array($0.utf8) }
        let bytes = parts[0] + broken.map { UInt8($0) } + parts[1]
        #expect(throws: StoreError.invalidContent("the manifest is not UTF-8")) {
            try Manifest(bytes, contentType: nil)
        }
    }

    @Test func membersThatNobodyAsksForArePassedOver() throws {
        let more = #","x":{"a":[1,2.5e3,{"b":null}],"a":2},"history":[],"name":"é🙂""#
        #expect(try parse(imageText(ManifestType.ociImage, more)).layers.count == 2)
    }

    @Test func aBombIsRefused() {
        let bomb = String(repeating: "[", count: 1_000_000)
        #expect(refusal(imageText(ManifestType.ociImage, #","x":\#(bomb)"#)) != nil)
        #expect(refusal(bomb) != nil)
    }

    // MARK: Foreign layers

    @Test(arguments: [
        (type: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", hasURLs: false, isElsewhere: true),
        (type: "application/vnd.oci.image.layer.nondistributable.v1.tar", hasURLs: true, isElsewhere: true),
        (type: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", hasURLs: true, isElsewhere: true),
        (type: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", hasURLs: false, isElsewhere: false),
        (type: "application/vnd.docker.image.rootfs.diff.tar.gzip", hasURLs: true, isElsewhere: false),
        (type: "application/vnd.oci.image.layer.v1.tar+gzip", hasURLs: true, isElsewhere: false),
    ])
    func layersThatMayNotBePassedOnNeedNotBeThere(type: String, hasURLs: Bool, isElsewhere: Bool) throws {
        let urls = hasURLs ? #","urls":["https://e.example/layer"]"# : #","urls":[]"#
        let image = try parse(imageText(layer: descriptor("one", type, urls)))
        #expect(image.layers.map(\.isElsewhere) == [isElsewhere])
        #expect(image.layers.map(\.hasURLs) == [hasURLs])
        let needed = isElsewhere ? [digest("config")] : [digest("config"), digest("one")]
        #expect(image.blobReferences.map(\.digest) == needed)
    }

    // MARK: Referrers

    @Test(arguments: artifacts)
    func artifactsHaveTheirOwnTypeOrTheirConfigurations(text: String, type: String) throws {
        #expect(try parse(text).effectiveArtifactType == type)
    }

    @Test func anIndexHasNoTypeButItsOwn() throws {
        #expect(try parse(indexText()).effectiveArtifactType == nil)
        #expect(try parse(indexText()).artifactType == nil)
    }

    @Test func referrersAreDescribedForTheListOfTheirSubject() throws {
        #expect(
            try parse(imageText()).referrerText(digest: digest("x"), size: 77)
                == #"{"mediaType":"\#(ManifestType.ociImage)","digest":"\#(digest("x"))","size":77,"#
                + #""artifactType":"\#(configType)"}"#
        )
        #expect(
            try parse(indexText()).referrerText(digest: digest("x"), size: 0)
                == #"{"mediaType":"\#(ManifestType.ociIndex)","digest":"\#(digest("x"))","size":0}"#
        )
    }

    @Test func annotationsStandInTheListAsTheyStandInTheManifest() throws {
        let annotations = #"{ "a\"b" : "c\nd\\", "é\u00e9":"\ud83d\ude42" , "":""}"#
        let more = #","annotations": \#(annotations) ,"artifactType":"a\"b""#
        let artifact = try parse(imageText(ManifestType.ociImage, more))
        #expect(artifact.annotationsText == annotations)
        let text = artifact.referrerText(digest: digest("x"), size: 5)
        #expect(
            text == #"{"mediaType":"\#(ManifestType.ociImage)","digest":"\#(digest("x"))","size":5,"#
                + #""artifactType":"a\"b","annotations":\#(annotations)}"#
        )
        let read = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        #expect(read["annotations"] as? [String: String] == ["a\"b": "c\nd\\", "éé": "🙂", "": ""])
        #expect(read["artifactType"] as? String == "a\"b")
    }

    @Test func artifactTypesThatNeedEscapesAreEscaped() throws {
        let type = #"a\"b\\c"#
        let thing = try parse(
            #"{"schemaVersion":2,"mediaType":"application/vnd.a+json","artifactType":"\#(type)"}"#
        )
        #expect(thing.artifactType == #"a"b\c"#)
        #expect(
            thing.referrerText(digest: digest("x"), size: 1)
                == #"{"mediaType":"application/vnd.a+json","digest":"\#(digest("x"))","size":1,"#
                + #""artifactType":"\#(type)"}"#
        )
    }
}
