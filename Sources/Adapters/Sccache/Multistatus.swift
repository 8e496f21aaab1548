import LarderCore
import LarderHTTP

/// The 207 answers to PROPFIND (RFC 4918, section 9.1).
///
/// sccache 0.16 becomes read-only without a word when `getlastmodified` (with the right weekday), `resourcetype`, `href`
/// or `status` is missing.
enum Multistatus {
    /// A folder: always there, never changed.
    static func folder(path: String) -> HTTPAnswer {
        answer(path: path, modified: 0, properties: "<D:resourcetype><D:collection/></D:resourcetype>")
    }

    static func file(path: String, size: Int64, digest: Digest, modified: Timestamp) -> HTTPAnswer {
        answer(
            path: path,
            modified: modified.milliseconds / 1000,
            properties: "<D:resourcetype/><D:getcontentlength>\(size)</D:getcontentlength>"
                + "<D:getetag>&quot;\(digest.hex)&quot;</D:getetag>"
                + "<D:getcontenttype>application/octet-stream</D:getcontenttype>"
        )
    }

    private static func answer(path: String, modified: Int64, properties: String) -> HTTPAnswer {
        let body = """
            <?xml version="1.0" encoding="utf-8"?>
            <D:multistatus xmlns:D="DAV:"><D:response><D:href>\(escape(path))</D:href><D:propstat><D:prop>\
            <D:getlastmodified>\(HTTPDate.format(modified))</D:getlastmodified>\(properties)</D:prop>\
            <D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>

            """
        return HTTPAnswer(207, body, headers: [("Content-Type", "application/xml; charset=utf-8")])
    }

    private static func escape(_ text: String) -> String {
        var escaped = ""
        for character in text {
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            default: escaped.append(character)
            }
        }
        return escaped
    }
}
