import Foundation
import LarderTestSupport

extension LiveServer {
    /// Whether the server has a file open whose path contains a text.
    func hasOpen(_ part: String) -> Bool {
        let folder = "/proc/\(processID)/fd"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.contains { name in
            let path = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(name)")
            return path?.contains(part) ?? false
        }
    }
}
