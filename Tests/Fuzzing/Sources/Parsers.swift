@testable import RabbitMQ

/// What is parsed on our side, called as the library calls it. What holds beside "it does not crash" is a precondition here.
enum Parsers {
    static func uri(_ bytes: UnsafeRawBufferPointer) {
        let text = String(decoding: bytes, as: UTF8.self)
        do throws(AMQPError) {
            let configuration = try ConnectionConfiguration(uri: text)
            try configuration.validate()
            // A name to connect to, and one to check, is never empty.
            precondition(configuration.endpoints.allSatisfy { !$0.host.isEmpty })
        } catch {
            check(error)
        }
    }

    /// All that is read of a connection: frames, methods, contents, whole deliveries.
    static func frames(_ bytes: UnsafeRawBufferPointer) {
        let scanner = FrameScanner(frameMax: 4096)
        let (methods, deliveries) = (MethodDecoder(), DeliveryDecoder())
        var headers = HeaderDecoder()
        var assembly = MessageAssembly<Int>()
        var offset = 0
        while case .frame(let frame, let next) = scanner.next(in: bytes, from: offset) {
            precondition(next > offset && next <= bytes.count)
            if let base = bytes.baseAddress,
                let delivery = WholeDeliveries(of: frame.channel, in: bytes, scanner: scanner).next(from: offset)
            {
                precondition(DeliveryDecoder.size(base + offset) == delivery.end - offset)
                attempt { () throws(AMQPError) in
                    let decoded = try deliveries.decode(base + offset)
                    precondition(decoded.message.body.count == delivery.bodySize)
                    precondition(decoded.deliveryTag == delivery.peek.deliveryTag)
                }
            }
            let payload = UnsafeRawBufferPointer(rebasing: bytes[frame.payload])
            attempt { () throws(AMQPError) in
                switch frame.kind {
                case .method:
                    if frame.isDelivery(payload) {
                        _ = try methods.deliver(payload)
                    } else {
                        _ = try methods.method(payload)
                    }
                    if !assembly.isActive { try assembly.begin(offset) }
                case .header: _ = try assembly.receive(try headers.header(payload), limit: 1 << 20)
                case .body: _ = try assembly.receive(body: payload)
                case .heartbeat: break
                }
            }
            offset = next
        }
    }

    static func method(_ bytes: UnsafeRawBufferPointer) {
        let decoder = MethodDecoder()
        attempt { () throws(AMQPError) in
            if try MethodDecoder.methodNumber(bytes) == MethodDecoder.deliver {
                _ = try decoder.deliver(bytes)
            } else {
                _ = try decoder.method(bytes)
            }
        }
    }

    /// A content header, and what becomes of it on the way out again.
    static func header(_ bytes: UnsafeRawBufferPointer) {
        var decoder = HeaderDecoder()
        attempt { () throws(AMQPError) in
            var message = try decoder.header(bytes).message
            message.body = [1]
            _ = (message.deaths.count, message.firstDeath, message.footprint, String(describing: message))
            try message.validate()
            let buffer = OutboundBuffer()
            try buffer.appendPublish(
                message,
                exchange: "e",
                routingKey: "k",
                mandatory: true,
                channel: 1,
                frameMax: 131_072,
                pool: Pool(),
                template: PublishTemplate()
            )
        }
    }

    /// A table in a content header whose other fields are as they should be.
    static func table(_ bytes: UnsafeRawBufferPointer) {
        let count = UInt32(truncatingIfNeeded: bytes.count)
        let length = (0..<4).map { UInt8(truncatingIfNeeded: count >> UInt32(24 - 8 * $0)) }
        let header: [UInt8] = [0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x20, 0] + length + bytes
        header.withUnsafeBytes { Self.header($0) }
    }

    static func pem(_ bytes: UnsafeRawBufferPointer) {
        let pem = ConnectionConfiguration.TLS.PEM.bytes(Array(bytes))
        _ = try? PEMReader.certificates(pem)
        _ = try? PEMReader.key(pem, passphrase: nil)
    }

    static func json(_ bytes: UnsafeRawBufferPointer) {
        let message = Message(body: Array(bytes), contentType: "application/json")
        _ = try? message.text()
        attempt { () throws(AMQPError) in
            let value = try message.json()
            let again = try Message(json: value).json()
            precondition(again == value)
        }
        _ = try? message.decode(Topology.self)
    }

    private static func attempt(_ body: () throws(AMQPError) -> Void) {
        do throws(AMQPError) { try body() } catch { check(error) }
    }

    /// An error is one line, whatever it quotes.
    private static func check(_ error: AMQPError) {
        precondition(!error.message.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F })
    }
}
