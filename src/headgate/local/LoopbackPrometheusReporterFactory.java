package org.apache.flink.metrics.prometheus;

import io.prometheus.client.CollectorRegistry;
import io.prometheus.client.exporter.HTTPServer;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Iterator;
import java.util.Properties;
import org.apache.flink.metrics.MetricConfig;
import org.apache.flink.metrics.reporter.MetricReporter;
import org.apache.flink.metrics.reporter.MetricReporterFactory;
import org.apache.flink.util.PortRange;

/**
 * Flink's Prometheus reporter with one setting more: {@code host}, the address that it listens on,
 * loopback if nothing is said. Flink's own listens on every interface.
 *
 * <p>In Flink's package, and in the plugin folder of Flink's own reporter, because that one's base
 * class keeps its registry to its package. Compiled by headgate.local.reporter.
 */
public final class LoopbackPrometheusReporterFactory implements MetricReporterFactory {
    @Override
    public MetricReporter createMetricReporter(Properties properties) {
        MetricConfig config = (MetricConfig) properties;
        String host = config.getString("host", InetAddress.getLoopbackAddress().getHostAddress());
        String ports = config.getString("port", "9249");
        try {
            return new Reporter(InetAddress.getByName(host), new PortRange(ports));
        } catch (IOException error) {
            // Flink logs it with the reporter's name, and goes on without the reporter.
            throw new IllegalArgumentException(
                    "cannot serve metrics at host " + host + ", port " + ports, error);
        }
    }

    private static final class Reporter extends AbstractPrometheusReporter {
        private final HTTPServer server;

        Reporter(InetAddress host, PortRange ports) throws IOException {
            server = listen(host, ports, registry);
        }

        @Override
        public void close() {
            server.stop();
            super.close();
        }

        /** Takes the first free port of the range. */
        private static HTTPServer listen(
                InetAddress host, PortRange ports, CollectorRegistry registry) throws IOException {
            Iterator<Integer> candidates = ports.getPortsIterator();
            while (true) {
                try {
                    InetSocketAddress address = new InetSocketAddress(host, candidates.next());
                    return new HTTPServer(address, registry);
                } catch (BindException taken) {
                    if (!candidates.hasNext()) {
                        throw taken;
                    }
                }
            }
        }
    }
}
