/// What went otherwise than the script says.
public struct PeerError: Error, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}
