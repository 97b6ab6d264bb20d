/// A method by its numbers (AMQP 0-9-1, section 1.3).
public struct PeerMethod: Sendable, Hashable, CustomStringConvertible {
    public let classID: UInt16
    public let methodID: UInt16

    public init(_ classID: UInt16, _ methodID: UInt16) {
        self.classID = classID
        self.methodID = methodID
    }

    public static let connectionStart = PeerMethod(10, 10)
    public static let connectionStartOk = PeerMethod(10, 11)
    public static let connectionSecure = PeerMethod(10, 20)
    public static let connectionTune = PeerMethod(10, 30)
    public static let connectionTuneOk = PeerMethod(10, 31)
    public static let connectionOpen = PeerMethod(10, 40)
    public static let connectionOpenOk = PeerMethod(10, 41)
    public static let connectionClose = PeerMethod(10, 50)
    public static let connectionCloseOk = PeerMethod(10, 51)
    public static let connectionBlocked = PeerMethod(10, 60)
    public static let connectionUnblocked = PeerMethod(10, 61)
    public static let connectionUpdateSecretOk = PeerMethod(10, 71)
    public static let channelOpen = PeerMethod(20, 10)
    public static let channelOpenOk = PeerMethod(20, 11)
    public static let channelFlow = PeerMethod(20, 20)
    public static let channelFlowOk = PeerMethod(20, 21)
    public static let channelClose = PeerMethod(20, 40)
    public static let channelCloseOk = PeerMethod(20, 41)
    public static let exchangeDeclare = PeerMethod(40, 10)
    public static let exchangeDeclareOk = PeerMethod(40, 11)
    public static let exchangeDelete = PeerMethod(40, 20)
    public static let exchangeDeleteOk = PeerMethod(40, 21)
    public static let queueDeclare = PeerMethod(50, 10)
    public static let queueDeclareOk = PeerMethod(50, 11)
    public static let queueBind = PeerMethod(50, 20)
    public static let queueBindOk = PeerMethod(50, 21)
    public static let queuePurge = PeerMethod(50, 30)
    public static let queuePurgeOk = PeerMethod(50, 31)
    public static let queueDelete = PeerMethod(50, 40)
    public static let queueDeleteOk = PeerMethod(50, 41)
    public static let queueUnbind = PeerMethod(50, 50)
    public static let queueUnbindOk = PeerMethod(50, 51)
    public static let basicQos = PeerMethod(60, 10)
    public static let basicQosOk = PeerMethod(60, 11)
    public static let basicConsume = PeerMethod(60, 20)
    public static let basicConsumeOk = PeerMethod(60, 21)
    public static let basicCancel = PeerMethod(60, 30)
    public static let basicCancelOk = PeerMethod(60, 31)
    public static let basicPublish = PeerMethod(60, 40)
    public static let basicReturn = PeerMethod(60, 50)
    public static let basicDeliver = PeerMethod(60, 60)
    public static let basicGet = PeerMethod(60, 70)
    public static let basicGetOk = PeerMethod(60, 71)
    public static let basicGetEmpty = PeerMethod(60, 72)
    public static let basicAck = PeerMethod(60, 80)
    public static let basicReject = PeerMethod(60, 90)
    public static let basicNack = PeerMethod(60, 120)
    public static let confirmSelectOk = PeerMethod(85, 11)

    public var description: String { "method \(classID).\(methodID)" }
}
