import APIAdapter
import BazelHTTPAdapter
import CcacheAdapter
import Foundation
import GradleAdapter
import LarderHTTP
import LarderStore
import MavenAdapter
import OCIAdapter
import SccacheAdapter

/// All adapters, in the order in which they are asked: those with a prefix of their own first, and Bazel's, which also
/// takes `…/ac/KEY` and `…/cas/KEY` behind any prefix, last.
enum AdapterCatalog {
    static func make(store: Store, apiSources: APIAdapter.Sources) -> AdapterList {
        AdapterList([
            APIAdapter(sources: apiSources),
            CcacheAdapter(),
            SccacheAdapter(),
            GradleAdapter(),
            MavenAdapter(),
            OCIAdapter(makeUploadID: { UUID().uuidString.lowercased() }),
            BazelHTTPAdapter(store: store),
        ])
    }
}
