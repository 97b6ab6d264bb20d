#if Tool
internal import ArgumentParser
internal import Foundation
internal import RabbitMQ
internal import Yams

/// A topology in a file: YAML, of which JSON is a part.
enum TopologyFile {
    /// Reads a file, or with `-` the standard input.
    static func text(_ path: String) throws -> String {
        if path == "-" {
            var reader = LineReader(STDIN_FILENO)
            return String(decoding: try reader.rest(), as: UTF8.self)
        }
        guard let data = FileManager.default.contents(atPath: path) else { throw ToolError("\(path) can't be read.") }
        return String(decoding: data, as: UTF8.self)
    }

    static func read(_ path: String) throws -> Topology {
        let topology = try decode(text(path), path)
        do {
            try topology.validate()
        } catch {
            throw ToolError("\(path): \(error.message)")
        }
        return topology
    }

    /// By way of JSON: a text in quotation marks stays one, though it may look like a number.
    private static func decode(_ text: String, _ path: String) throws -> Topology {
        do {
            guard let object = try Yams.load(yaml: text), !(object is NSNull) else {
                // Of a program that has failed, say: all would seem to be there.
                throw ToolError("\(path) holds nothing.", cure: "An empty topology is written {}.")
            }
            guard JSONSerialization.isValidJSONObject(object) else {
                throw ToolError("\(path) holds what JSON has not, such as a date: put it into quotation marks.")
            }
            try TopologyKeys.check(object, of: path)
            return try JSONDecoder().decode(Topology.self, from: JSONSerialization.data(withJSONObject: object))
        } catch let error as YamlError {
            throw ToolError("\(path): \(error)")
        } catch let error as DecodingError {
            throw ToolError("\(path): \(explain(error))")
        }
    }

    static func write(_ topology: Topology, isJSON: Bool) throws -> String {
        if isJSON {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            return Terminal.harmlessJSON(try encoder.encode(topology))
        }
        let encoder = YAMLEncoder()
        encoder.options.sortKeys = true
        return try encoder.encode(topology).trimmingCharacters(in: .newlines)
    }

    private static func explain(_ error: DecodingError) -> String {
        func place(_ context: DecodingError.Context) -> String {
            context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? ".\($0.stringValue)" }.joined()
        }
        return switch error {
        case .keyNotFound(let key, let context): "\(place(context)) lacks '\(key.stringValue)'"
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            "\(place(context)): \(context.debugDescription)"
        @unknown default: "\(error)"
        }
    }
}
#endif
