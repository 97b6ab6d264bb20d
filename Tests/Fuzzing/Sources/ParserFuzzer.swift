import Foundation

@testable import RabbitMQ

/// What is fuzzed; the environment's `FUZZ_TARGET` says which.
enum FuzzTarget: String, CaseIterable {
    case uri, frames, methods, headers, tables, pem, json

    static let chosen: FuzzTarget = {
        let name = ProcessInfo.processInfo.environment["FUZZ_TARGET"] ?? ""
        guard let target = FuzzTarget(rawValue: name) else {
            let names = allCases.map(\.rawValue).joined(separator: ", ")
            FileHandle.standardError.write(Data("FUZZ_TARGET is '\(name)', which is none of \(names)\n".utf8))
            exit(64)
        }
        return target
    }()

    func parse(_ bytes: UnsafeRawBufferPointer) {
        switch self {
        case .uri: Parsers.uri(bytes)
        case .frames: Parsers.frames(bytes)
        case .methods: Parsers.method(bytes)
        case .headers: Parsers.header(bytes)
        case .tables: Parsers.table(bytes)
        case .pem: Parsers.pem(bytes)
        case .json: Parsers.json(bytes)
        }
    }
}

/// Called by libFuzzer with one input after the other.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    FuzzTarget.chosen.parse(UnsafeRawBufferPointer(start: data, count: size))
    return 0
}
