import Testing

@testable import LarderClient

@Suite struct FileCallsTests {
    @Test func whatIsCopiedAcrossKeepsItsModeAndTime() async throws {
        try await withTwoFolders { from, to in
            try from.write("file", Array(repeating: 7, count: (1 << 20) + 1), mode: 0o751, modified: 1_234_567_890)
            try from.link("link", to: "nowhere", modified: 99)
            let (source, target) = (try OpenDescriptor(path: from.path), try OpenDescriptor(path: to.path))
            defer { withExtendedLifetime((source, target)) {} }
            for name in ["file", "link"] {
                let isCopied = FileCalls.copyAcross(name, from: source.descriptor, to: target.descriptor, as: name)
                #expect(isCopied)
                let isOverwritten = FileCalls.copyAcross(name, from: source.descriptor, to: target.descriptor, as: name)
                #expect(!isOverwritten)
            }
            #expect(try to.things() == from.things())
        }
    }
}
