import Foundation
import Testing

@testable import RabbitMQ

@Suite("The article on errors")
struct HandlingErrorsTests {
    @Test func `has a row for each code`() throws {
        let page = CheckScript.root.appending(path: "Sources/RabbitMQ/RabbitMQ.docc/HandlingErrors.md")
        let rows = try String(contentsOf: page, encoding: .utf8).split(separator: "\n").filter { $0.hasPrefix("| ") }
        let subjects = rows.map { $0.dropFirst(2).prefix(while: { $0 != "|" }) }.joined(separator: " ")
        let codes = AMQPError.Code.Kind.allCases.map { AMQPError.Code($0).description }
        #expect(codes.filter { !subjects.contains("``AMQPError/Code/\($0)``") } == [])
    }
}
