/// The faults that are to come. A value.
struct FaultScript {
    /// What happens in the broker.
    enum Event {
        case frame(Int)
        case method(String, subject: String)
        case publish(exchange: String, routingKey: String)
        case delivery(queue: String)
    }

    private struct Rule {
        var fault: Fault
        var occasion: FaultOccasion
        var skips: Int
        var times: Int
    }

    private var rules: [Rule] = []

    var isEmpty: Bool { rules.isEmpty }
    var count: Int { rules.count }

    mutating func add(_ fault: Fault, at occasion: FaultOccasion, skipping skips: Int, times: Int) {
        if times > 0 { rules.append(Rule(fault: fault, occasion: occasion, skips: max(0, skips), times: times)) }
    }

    mutating func removeAll() { rules = [] }

    /// The fault that comes with an event: that of the first rule that fits and has skipped enough.
    ///
    /// - Parameters:
    ///   - event: What happens.
    ///   - connection: Where.
    mutating func take(_ event: Event, on connection: ConnectionState?) -> Fault? {
        guard !rules.isEmpty else { return nil }
        for index in rules.indices where rules[index].occasion.includes(event, on: connection) {
            if rules[index].skips > 0 {
                rules[index].skips -= 1
                continue
            }
            defer {
                rules[index].times -= 1
                if rules[index].times == 0 { rules.remove(at: index) }
            }
            return rules[index].fault
        }
        return nil
    }
}

extension FaultOccasion {
    func includes(_ event: FaultScript.Event, on connection: ConnectionState?) -> Bool {
        switch place {
        case .anywhere: break
        case .number(let id): guard connection?.id == id else { return false }
        case .name(let name): guard connection?.name == name else { return false }
        }
        func isMeant(_ wanted: String?, _ name: String) -> Bool { wanted == nil || wanted == name }
        switch (kind, event) {
        case (.frame(let wanted), .frame(let number)): return wanted == number
        case (.publish(let exchange, let key), .publish(let toExchange, let withKey)):
            return isMeant(exchange, toExchange) && isMeant(key, withKey)
        case (.method("basic.publish", let subject), .publish(let exchange, _)): return isMeant(subject, exchange)
        case (.method(let wanted, let subject), .method(let name, let about)):
            return wanted == name && isMeant(subject, about)
        case (.delivery(let wanted), .delivery(let queue)): return isMeant(wanted, queue)
        default: return false
        }
    }
}
