import CryptoKit
import Foundation

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// What the API answered.
public struct Answer {
    public let status: Int
    public let headers: [AnyHashable: Any]
    public let content: Data

    /// The body as a type of the API, or any other that is Decodable.
    public func decoded<T: Decodable>(_ type: T.Type) throws -> T {
        try JSONDecoder().decode(type, from: content)
    }
}

/// An answer that is no success.
public struct ApiError: Error {
    public let answer: Answer
}

/// Any value of JSON.
public enum JsonValue: Codable {
    case null
    case bool(Bool)
    case number(Double)
    case text(String)
    case list([JsonValue])
    case map([String: JsonValue])

    public init(from decoder: Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() { self = .null }
        else if let found = try? value.decode(Bool.self) { self = .bool(found) }
        else if let found = try? value.decode(Double.self) { self = .number(found) }
        else if let found = try? value.decode(String.self) { self = .text(found) }
        else if let found = try? value.decode([JsonValue].self) { self = .list(found) }
        else { self = .map(try value.decode([String: JsonValue].self)) }
    }

    public func encode(to encoder: Encoder) throws {
        var value = encoder.singleValueContainer()
        switch self {
        case .null: try value.encodeNil()
        case .bool(let found): try value.encode(found)
        case .number(let found): try value.encode(found)
        case .text(let found): try value.encode(found)
        case .list(let found): try value.encode(found)
        case .map(let found): try value.encode(found)
        }
    }
}

/// Requests to an API, signed with AWS's Signature Version 4 where that is asked for.
public final class Requests {
    public var apiKey: String?
    public var accessKey: String?
    public var secretKey = ""
    public var sessionToken: String?
    private let url: String
    private let region: String
    private static let plain = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

    public init(url: String, region: String) {
        self.url = url.hasSuffix("/") ? String(url.dropLast()) : url
        self.region = region
    }

    public func send(
        _ verb: String, _ path: String, place: [String: Any?], query: [String: Any?], headers: [String: Any?],
        body: Data?, contentType: String, signed: Bool
    ) async throws -> Answer {
        var target = path
        for (name, value) in place {
            let text = value.map { "\($0)" } ?? ""
            let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { Requests.encode(String($0)) }
            target = target.replacingOccurrences(of: "{\(name)+}", with: parts.joined(separator: "/"))
            target = target.replacingOccurrences(of: "{\(name)}", with: Requests.encode(text))
        }
        let pairs = query.compactMap { name, value in value.map { Requests.encode(name) + "=" + Requests.encode("\($0)") } }.sorted()
        let address = url + target + (pairs.isEmpty ? "" : "?" + pairs.joined(separator: "&"))
        guard let found = URL(string: address) else { throw URLError(.badURL) }
        var request = URLRequest(url: found, timeoutInterval: 30)
        request.httpMethod = verb
        request.httpBody = body
        request.setValue("application/json", forHTTPHeaderField: "Accept")
        if body != nil { request.setValue(contentType, forHTTPHeaderField: "Content-Type") }
        if let key = apiKey { request.setValue(key, forHTTPHeaderField: "x-api-key") }
        for (name, value) in headers { if let value = value { request.setValue("\(value)", forHTTPHeaderField: name) } }
        if signed, let key = accessKey { sign(&request, path: found.path, pairs: pairs, key: key) }
        let (content, response) = try await URLSession.shared.data(for: request)
        guard let http = response as? HTTPURLResponse else { throw URLError(.badServerResponse) }
        let answer = Answer(status: http.statusCode, headers: http.allHeaderFields, content: content)
        guard (200..<300).contains(http.statusCode) else { throw ApiError(answer: answer) }
        return answer
    }

    private static func encode(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: plain) ?? text
    }

    private func sign(_ request: inout URLRequest, path: String, pairs: [String], key: String) {
        let format = DateFormatter()
        format.dateFormat = "yyyyMMdd'T'HHmmss'Z'"
        format.timeZone = TimeZone(identifier: "UTC")
        format.locale = Locale(identifier: "en_US_POSIX")
        let stamp = format.string(from: Date())
        request.setValue(stamp, forHTTPHeaderField: "X-Amz-Date")
        if let token = sessionToken { request.setValue(token, forHTTPHeaderField: "X-Amz-Security-Token") }
        var signed = ["x-amz-date": stamp]
        if let token = sessionToken { signed["x-amz-security-token"] = token }
        let host = request.url?.host ?? ""
        signed["host"] = request.url?.port.map { "\(host):\($0)" } ?? host
        let names = signed.keys.sorted()
        let lines = names.map { "\($0):\(signed[$0] ?? "")\n" }.joined()
        let raw = request.url.flatMap { URLComponents(url: $0, resolvingAgainstBaseURL: false)?.percentEncodedPath } ?? path
        let twice = raw.split(separator: "/", omittingEmptySubsequences: false).map { Requests.encode(String($0)) }.joined(separator: "/")
        let canonical = [request.httpMethod ?? "GET", twice, pairs.joined(separator: "&"), lines, names.joined(separator: ";"),
                         Requests.digest(request.httpBody ?? Data())].joined(separator: "\n")
        let scope = [String(stamp.prefix(8)), region, "execute-api", "aws4_request"]
        let text = ["AWS4-HMAC-SHA256", stamp, scope.joined(separator: "/"), Requests.digest(Data(canonical.utf8))].joined(separator: "\n")
        var secret = Data(("AWS4" + secretKey).utf8)
        for part in scope + [text] {
            secret = Data(HMAC<SHA256>.authenticationCode(for: Data(part.utf8), using: SymmetricKey(data: secret)))
        }
        let signature = secret.map { String(format: "%02x", $0) }.joined()
        let credential = "\(key)/\(scope.joined(separator: "/"))"
        request.setValue(
            "AWS4-HMAC-SHA256 Credential=\(credential), SignedHeaders=\(names.joined(separator: ";")), Signature=\(signature)",
            forHTTPHeaderField: "Authorization")
    }

    private static func digest(_ content: Data) -> String {
        SHA256.hash(data: content).map { String(format: "%02x", $0) }.joined()
    }
}
