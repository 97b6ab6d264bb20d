#if Tool
internal import RabbitMQ

/// The value of an option, as it stands in JSON.
enum PerfSetting: Codable, Equatable, CustomStringConvertible {
    case flag(Bool)
    case number(Double)
    case text(String)

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if let flag = try? value.decode(Bool.self) {
            self = .flag(flag)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else {
            self = .text(try value.decode(String.self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var value = encoder.singleValueContainer()
        switch self {
        case .flag(let flag): try value.encode(flag)
        case .number(let number):
            if let whole = Int(exactly: number) { try value.encode(whole) } else { try value.encode(number) }
        case .text(let text): try value.encode(text)
        }
    }

    var description: String {
        switch self {
        case .flag(let flag): "\(flag)"
        case .number(let number): Int(exactly: number).map { "\($0)" } ?? "\(number)"
        case .text(let text): text
        }
    }
}

extension PerfOptions {
    /// The names that ``settings`` may have, and those beside them.
    static let settingNames: Set<String> = [
        "channels", "connections", "consumers", "exchange", "headers", "host", "messages", "metrics", "one-at-a-time",
        "persistent", "prefetch", "producers", "queue-type", "ramp", "rate", "read-headers", "recorder", "routing-key",
        "seconds", "size", "sizes", "tasks", "tls", "traces", "use-existing", "warmup", "window", "work",
    ]

    /// What makes a run another one than what the mode and the size of bodies say: the options that differ from their
    /// defaults, by their names on the command line, and `tls`. How long is measured is none of them, nor at which
    /// broker, nor what its queue is called.
    var settings: [String: PerfSetting] {
        var settings: [String: PerfSetting] = [:]
        func note(_ name: String, _ value: Int, usual: Int) {
            if value != usual { settings[name] = .number(Double(value)) }
        }
        func mark(_ name: String, if isSet: Bool) {
            if isSet { settings[name] = .flag(true) }
        }
        note("channels", channels, usual: 1)
        note("connections", connections, usual: 1)
        note("consumers", consumers, usual: 1)
        note("producers", load.producers, usual: 1)
        note("tasks", tasks, usual: 1)
        note("headers", headers, usual: 0)
        note("recorder", watchers.recorder, usual: 0)
        note("window", window, usual: Self.usualWindow)
        note("prefetch", Int(prefetch), usual: Int(Self.usualPrefetch))
        mark("persistent", if: persistent)
        mark("one-at-a-time", if: oneAtATime)
        mark("read-headers", if: readHeaders)
        mark("use-existing", if: place.useExisting)
        mark("metrics", if: watchers.metrics)
        mark("traces", if: watchers.traces)
        mark("tls", if: (try? configuration())?.tls != nil)
        // How many connections are spread over; one is as good as that of the URI.
        if hosts.count > 1 { settings["host"] = .number(Double(hosts.count)) }
        if work != 0 { settings["work"] = .number(work) }
        if let rate { settings["rate"] = .number(rate) }
        if let ramp = load.ramp { settings["ramp"] = .text(ramp.text) }
        if let sizes = load.sizes { settings["sizes"] = .text(sizes.text) }
        if place.queueType != .classic { settings["queue-type"] = .text(place.queueType.rawValue) }
        if !place.exchange.isEmpty { settings["exchange"] = .text(place.exchange) }
        if let key = place.routingKey { settings["routing-key"] = .text(key) }
        return settings
    }
}
#endif
