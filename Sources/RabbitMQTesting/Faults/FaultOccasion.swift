/// When a ``Fault`` happens.
public struct FaultOccasion: Sendable, Hashable {
    enum Kind: Hashable {
        case frame(Int)
        case publish(exchange: String?, routingKey: String?)
        case method(String, subject: String?)
        case delivery(queue: String?)
    }

    enum Place: Hashable {
        case anywhere
        case number(Int)
        case name(String)
    }

    let kind: Kind
    var place = Place.anywhere

    /// With the frame of this number that comes on a connection, heartbeats aside; the first behind the protocol header is 1.
    ///
    /// A message has several: one of them ignored, the broker closes the connection over the next (505).
    ///
    /// - Parameter number: The number.
    public static func frame(_ number: Int) -> FaultOccasion { FaultOccasion(kind: .frame(number)) }

    /// With a message that has come whole.
    ///
    /// - Parameters:
    ///   - exchange: The name of the exchange that it is published to; any if nil.
    ///   - routingKey: The routing key that it is published with; any if nil.
    public static func publish(exchange: String? = nil, routingKey: String? = nil) -> FaultOccasion {
        FaultOccasion(kind: .publish(exchange: exchange, routingKey: routingKey))
    }

    /// With a method of the client.
    ///
    /// - Parameters:
    ///   - name: The protocol's name of the method, such as `queue.declare` or `basic.ack`. With `basic.publish` the message
    ///     has come whole.
    ///   - subject: The queue or the exchange that it names; of a binding of queues the queue, of one of exchanges the
    ///     source; of a settlement (`basic.ack`, `basic.nack`, `basic.reject`) the queue that the message with its number
    ///     came from, of `basic.cancel` the consumer's. Any if nil.
    public static func method(_ name: String, _ subject: String? = nil) -> FaultOccasion {
        FaultOccasion(kind: .method(name, subject: subject))
    }

    /// With a message that is about to be delivered to a consumer.
    ///
    /// - Parameter queue: The name of the queue that it comes from; any if nil.
    public static func delivery(from queue: String? = nil) -> FaultOccasion {
        FaultOccasion(kind: .delivery(queue: queue))
    }

    /// The same on one connection alone.
    ///
    /// - Parameter id: Its number: ``InProcessBroker/ConnectionSnapshot/id``. Of a delivery it is the consumer's connection.
    public func on(connection id: Int) -> FaultOccasion {
        var occasion = self
        occasion.place = .number(id)
        return occasion
    }

    /// The same on connections of a name alone, so also on what a client connects again by.
    ///
    /// - Parameter name: The name that the client gives (``/RabbitMQ/ConnectionConfiguration/connectionName``). It says so
    ///   with its first frame, which itself belongs to no name yet.
    public func on(connection name: String) -> FaultOccasion {
        var occasion = self
        occasion.place = .name(name)
        return occasion
    }
}
