/// A message that a session has left unconfirmed, with whatever waits for its outcome: to be published again.
struct UnconfirmedMessage: Sendable {
    let confirm: PendingConfirm
    let kept: ConfirmLedger.Kept

    func readdressed(_ routingKey: String) -> UnconfirmedMessage {
        UnconfirmedMessage(confirm: confirm, kept: kept.readdressed(routingKey))
    }
}
