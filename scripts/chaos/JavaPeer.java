import com.rabbitmq.client.*;
import java.io.*;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.*;

/**
 * What ChaosProbe's `traffic` and `topology` do, on the Java client's automatic recovery, which tries again every 10 ms.
 *
 * A publish that fails is repeated 5 ms later, as an application must: the client keeps nothing that was not confirmed.
 */
public class JavaPeer {
    static final Map<String, String> options = new HashMap<>();
    static BufferedWriter record;

    static String text(String name, String otherwise) { return options.getOrDefault("--" + name, otherwise); }
    static int number(String name, int otherwise) { return Integer.parseInt(text(name, "" + otherwise)); }
    static long now() {
        java.time.Instant now = java.time.Instant.now();
        return now.getEpochSecond() * 1_000_000 + now.getNano() / 1000;
    }
    static void write(String line) {
        try { synchronized (record) { record.write(line); record.write('\n'); } } catch (IOException e) { System.exit(1); }
    }

    static Connection connect() throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setUri(text("uri", "amqp://127.0.0.1"));
        if (options.containsKey("--ca")) {
            KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
            store.load(null, null);
            try (InputStream in = new FileInputStream(text("ca", ""))) {
                store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
            }
            TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            trust.init(store);
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(null, trust.getTrustManagers(), null);
            factory.useSslProtocol(context);
        }
        factory.setAutomaticRecoveryEnabled(true);
        factory.setTopologyRecoveryEnabled(true);
        factory.setNetworkRecoveryInterval(10);
        return factory.newConnection();
    }

    public static void main(String[] arguments) throws Exception {
        java.util.logging.LogManager.getLogManager().reset();
        for (int i = 1; i + 1 < arguments.length; i += 2) options.put(arguments[i], arguments[i + 1]);
        if (arguments[0].equals("topology")) topology(); else traffic();
        System.exit(0);
    }

    static void traffic() throws Exception {
        record = new BufferedWriter(new FileWriter(text("record", "/dev/stdout")), 1 << 16);
        int messages = number("messages", 1000), rate = number("rate", 0), publishers = number("publishers", 4);
        String queue = text("queue", "chaos");
        Connection consuming = connect(), publishing = connect();
        BitSet delivered = new BitSet(messages);
        for (int i = 0; i < number("consumers", 2); i++) {
            Channel channel = consuming.createChannel();
            channel.basicQos(number("prefetch", 100));
            channel.queueDeclare(queue, true, false, false, null);
            channel.basicConsume(queue, false, new DefaultConsumer(channel) {
                @Override
                public void handleDelivery(String tag, Envelope envelope, AMQP.BasicProperties properties, byte[] body) {
                    int number = Integer.parseInt(new String(body, 0, 10));
                    write("d " + number + " " + now() + " " + (envelope.isRedeliver() ? 1 : 0));
                    synchronized (delivered) { delivered.set(number); }
                    try {
                        getChannel().basicAck(envelope.getDeliveryTag(), false);
                    } catch (Exception e) { // from before the loss
                        write("v " + now() + " consumers stale " + e.getClass().getSimpleName());
                    }
                }
            });
        }
        Thread flushing = new Thread(() -> {
            try {
                while (true) { synchronized (record) { record.flush(); } Thread.sleep(20); }
            } catch (Exception e) { }
        });
        flushing.setDaemon(true);
        flushing.start();
        System.out.println("ready");
        long start = System.nanoTime();
        ExecutorService pool = Executors.newFixedThreadPool(publishers);
        for (int p = 0; p < publishers; p++) {
            int publisher = p;
            pool.submit(() -> {
                Channel channel = publishing.createChannel();
                channel.confirmSelect();
                for (int number = publisher; number < messages; number += publishers) {
                    long wait = rate > 0 ? start + number * 1_000_000_000L / rate - System.nanoTime() : 0;
                    if (wait > 0) TimeUnit.NANOSECONDS.sleep(wait);
                    long published = now();
                    byte[] body = (String.format("%010d", number) + "x".repeat(90)).getBytes();
                    while (true) {
                        try {
                            channel.basicPublish("", queue, MessageProperties.MINIMAL_PERSISTENT_BASIC, body);
                            if (channel.waitForConfirms(60_000)) break;
                        } catch (Exception e) {
                            write("v " + now() + " publishers failed " + e.getClass().getSimpleName());
                            Thread.sleep(5);
                        }
                    }
                    write("c " + number + " " + published + " " + now());
                }
                return null;
            });
        }
        pool.shutdown();
        pool.awaitTermination(1, TimeUnit.HOURS);
        long end = System.nanoTime() + 60_000_000_000L;
        while (System.nanoTime() < end) {
            synchronized (delivered) { if (delivered.cardinality() == messages) break; }
            Thread.sleep(20);
        }
        Thread.sleep(1000);
        synchronized (record) { record.flush(); }
        System.out.println("done");
    }

    static void topology() throws Exception {
        int count = number("entities", 1000), rounds = number("rounds", 3);
        Connection connection = connect();
        Channel channel = connection.createChannel();
        for (int i = 0; i < count; i++) {
            String queue = "chaos-java-topology-" + i;
            channel.queueDeclare(queue, false, false, false, null);
            channel.queueBind(queue, "amq.topic", queue + ".key");
            channel.basicConsume(queue, false, new DefaultConsumer(channel));
        }
        SynchronousQueue<Double> recovered = new SynchronousQueue<>();
        long[] lost = {0};
        connection.addShutdownListener(cause -> { lost[0] = System.nanoTime(); });
        ((Recoverable) connection).addRecoveryListener(new RecoveryListener() {
            public void handleRecovery(Recoverable r) {
                try { recovered.put((System.nanoTime() - lost[0]) / 1e9); } catch (InterruptedException e) { }
            }
            public void handleRecoveryStarted(Recoverable r) { }
        });
        StringBuilder times = new StringBuilder();
        for (int i = 0; i < rounds; i++) {
            System.out.println("ready");
            times.append(i > 0 ? ", " : "").append(recovered.take());
        }
        for (int i = 0; i < count; i++) channel.queueDelete("chaos-java-topology-" + i);
        System.out.println("{\"entities\": " + count + ", \"recovery_s\": [" + times + "]}");
    }
}
