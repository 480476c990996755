import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.util.Map;

/** Sends requests with Android's own client. Not on the main thread. */
final class Transport {
    private Transport() {}

    static Answer send(String verb, URI uri, Map<String, String> headers, byte[] content) throws IOException {
        HttpURLConnection connection = (HttpURLConnection) uri.toURL().openConnection();
        connection.setRequestMethod(verb);
        connection.setConnectTimeout(10_000);
        connection.setReadTimeout(30_000);
        for (Map.Entry<String, String> entry : headers.entrySet()) connection.setRequestProperty(entry.getKey(), entry.getValue());
        if (content != null) {
            connection.setDoOutput(true);
            connection.getOutputStream().write(content);
        }
        int status = connection.getResponseCode();
        ByteArrayOutputStream read = new ByteArrayOutputStream();
        InputStream stream = status < 400 ? connection.getInputStream() : connection.getErrorStream();
        byte[] buffer = new byte[8192];
        for (int size; stream != null && (size = stream.read(buffer)) > 0; ) read.write(buffer, 0, size);
        return new Answer(status, connection.getHeaderFields(), Requests.decoded(read.toByteArray()));
    }
}
