/// What a tag must be before it is set (RFC 9110, section 13, with the manifest's digest as entity tag).
package enum TagCondition: Hashable, Sendable {
    case none
    /// There must be no such tag (`If-None-Match: *`).
    case isAbsent
    /// There must be none, or it must name this manifest already.
    case staysPut
    /// It must name one of these digests (`If-Match`).
    case names([String])
}
