import Foundation
import Glibc

/// Makes files below a folder, by path and content, with the folders around them; a path that ends in `/` is a folder.
func makeFiles(_ files: [String: String], in folder: String) throws {
    for (path, content) in files {
        let url = URL(fileURLWithPath: "\(folder)/\(path)")
        let parent = path.hasSuffix("/") ? url : url.deletingLastPathComponent()
        try FileManager.default.createDirectory(at: parent, withIntermediateDirectories: true)
        if !path.hasSuffix("/") { try Data(content.utf8).write(to: url) }
    }
}

func makeLink(_ path: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: target)
}
