/// A path as a key of dictionaries and sets: two are one when their bytes are the same.
///
/// To `String` paths are one when they look alike (`é` as one character, or as two); on a disk such are two.
package struct PathKey: Hashable, Sendable {
    package let path: String

    package init(_ path: String) {
        self.path = path
    }

    package static func == (left: PathKey, right: PathKey) -> Bool { haveSameBytes(left.path, right.path) }

    package func hash(into hasher: inout Hasher) { hasher.combine(path) }
}
