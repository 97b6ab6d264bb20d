#if Tool
/// What was done, as `--json` tells it.
struct Deed: Encodable {
    enum Kind: String, Encodable {
        case declared, deleted, purged, bound, unbound
    }

    let done: Kind
    var queue: String?
    var exchange: String?
    var type: String?
    /// The exchange that a binding takes messages from.
    var source: String?
    var routingKey: String?
    var messages: Int?
    var consumers: Int?
}
#endif
