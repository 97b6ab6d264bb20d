import Testing

@testable import RabbitMQ

@Suite("a message as it comes")
struct MessageAssemblyTests {
    private func header(_ size: UInt64) -> ContentHeader {
        ContentHeader(bodySize: size, message: Message(body: [], contentType: "x", timestamp: nil))
    }

    private func receive(_ bytes: [UInt8], _ assembly: inout MessageAssembly<Int>) throws -> (Int, Message)? {
        try bytes.withUnsafeBytes { try assembly.receive(body: $0) }
    }

    @Test func `an empty body needs no frame`() throws {
        var assembly = MessageAssembly<Int>()
        try assembly.begin(7)
        #expect(assembly.isActive)
        let (origin, message) = try #require(try assembly.receive(header(0), limit: 0))
        #expect(origin == 7)
        #expect(message.body == [])
        #expect(message.contentType == "x")
        #expect(!assembly.isActive)
    }

    @Test(arguments: [[10], [1, 9], [3, 3, 4], [0, 5, 0, 5], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]])
    func `a body in pieces`(pieces: [Int]) throws {
        var assembly = MessageAssembly<Int>()
        let body = (0..<10).map { UInt8($0) }
        for round in 1...2 {
            try assembly.begin(round)
            let early = try assembly.receive(header(10), limit: 10)
            #expect(early == nil)
            var offset = 0
            for size in pieces {
                #expect(assembly.isActive)
                let result = try receive(Array(body[offset..<offset + size]), &assembly)
                offset += size
                #expect((result != nil) == (offset == 10))
                if let result {
                    #expect(result.0 == round)
                    #expect(result.1.body == body)
                }
            }
            #expect(!assembly.isActive)
        }
    }

    @Test func `what has no place is refused`() throws {
        var assembly = MessageAssembly<Int>()
        #expect(throws: AMQPError.self) { try assembly.receive(header(1), limit: 9) }
        #expect(throws: AMQPError.self) { try receive([1], &assembly) }
        try assembly.begin(1)
        #expect(throws: AMQPError.self) { try assembly.begin(2) }
        #expect(throws: AMQPError.self) { try receive([1], &assembly) }
        _ = try assembly.receive(header(2), limit: 9)
        #expect(throws: AMQPError.self) { try assembly.receive(header(1), limit: 9) }
        #expect(throws: AMQPError.self) { try assembly.begin(3) }
        #expect(throws: AMQPError.self) { try receive([1, 2, 3], &assembly) }
    }

    @Test func `danger: a size beyond the limit, or beyond all memory, is an error and takes no memory`() throws {
        for size in [11, 8 << 30, .max] as [UInt64] {
            var assembly = MessageAssembly<Int>()
            try assembly.begin(1)
            do {
                _ = try assembly.receive(header(size), limit: 10)
                Issue.record("\(size) was accepted")
            } catch {
                #expect(error.code == .contentTooLarge)
            }
            #expect(!assembly.isActive)
            // What there is of its body is passed over, until the next message.
            #expect(try receive([1], &assembly) == nil)
            try assembly.begin(2)
            #expect(throws: AMQPError.self) { try receive([1], &assembly) }
        }
    }

    @Test func `danger: what a header claims is not reserved before it comes`() throws {
        var assembly = MessageAssembly<Int>()
        try assembly.begin(1)
        let none = try assembly.receive(header(8 << 30), limit: .max)
        #expect(none == nil)
        let early = try receive([1], &assembly)
        #expect(early == nil)
    }
}
