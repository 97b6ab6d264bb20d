internal import CRabbitMQ

extension MethodDecoder {
    static let getOk = AMQP_BASIC_GET_OK_METHOD

    /// Whether it is an answer that a call waits for, and nothing else changes by: it takes little time, and nothing is logged.
    static func isSilentAnswer(_ method: UInt32) -> Bool {
        switch method {
        case AMQP_BASIC_GET_OK_METHOD, AMQP_BASIC_GET_EMPTY_METHOD, AMQP_BASIC_QOS_OK_METHOD,
            AMQP_CHANNEL_OPEN_OK_METHOD,
            AMQP_CONFIRM_SELECT_OK_METHOD, AMQP_QUEUE_DECLARE_OK_METHOD, AMQP_QUEUE_DELETE_OK_METHOD,
            AMQP_QUEUE_PURGE_OK_METHOD, AMQP_QUEUE_BIND_OK_METHOD, AMQP_QUEUE_UNBIND_OK_METHOD,
            AMQP_EXCHANGE_DECLARE_OK_METHOD, AMQP_EXCHANGE_DELETE_OK_METHOD, AMQP_EXCHANGE_BIND_OK_METHOD,
            AMQP_EXCHANGE_UNBIND_OK_METHOD:
            true
        default: false
        }
    }
}
