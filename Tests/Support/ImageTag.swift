package import LarderCore

/// `Tag` beside the one of Swift Testing, whose macros do not take a qualified name.
package typealias ImageTag = LarderCore.Tag
