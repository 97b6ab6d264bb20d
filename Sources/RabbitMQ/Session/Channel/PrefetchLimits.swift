/// How many deliveries the broker leaves unsettled, as last asked for on a channel; 0 for no limit. A value.
struct PrefetchLimits: Sendable {
    /// For each consumer that begins from now on.
    private(set) var each: UInt16 = 0
    /// For all consumers together.
    private(set) var shared: UInt16 = 0
    /// Whether the limit for all was lifted last: RabbitMQ 4.3, which knows none, takes that for the limit of each.
    private(set) var isSharedLifted = false
    /// The lowest limit for each under which a consumer has begun: it keeps that, whatever is set later.
    private var lowestBegun = Int.max

    /// The lower one of the limits, or the highest there is.
    private var least: Int { Int(min(each == 0 ? .max : each, shared == 0 ? .max : shared)) }

    /// How many deliveries come at least while so many of the channel are not settled.
    func credit(after unsettled: Int) -> Int {
        each == 0 && shared == 0 && lowestBegun == .max ? .max : max(0, min(least, lowestBegun) - unsettled)
    }

    /// How many acknowledgements may wait for each other: few enough for the broker to go on delivering meanwhile.
    var mostUnwritten: Int {
        let limit = least
        // Of few, half: with an eighth each would be sent by itself.
        return max(1, min(256, max(limit / 8, min(8, limit / 2))))
    }

    /// RabbitMQ lifts the shared limit with a limit for each (`rabbit_channel:handle_method/3`).
    mutating func set(_ count: UInt16, global: Bool) {
        shared = global ? count : 0
        isSharedLifted = global && count == 0
        if !global { each = count }
    }

    /// Whether the broker goes on delivering while so many are not settled, and as many acknowledgements wait as may.
    func leavesRoom(beside count: Int) -> Bool {
        let most = count + mostUnwritten
        return (each == 0 || most <= Int(each)) && (shared == 0 || most <= Int(shared)) && most <= lowestBegun
    }

    /// A consumer begins that acknowledges.
    mutating func consumerBegan() {
        if each > 0 { lowestBegun = min(lowestBegun, Int(each)) }
    }

    /// No consumer is left.
    mutating func consumersAreGone() { lowestBegun = .max }
}
