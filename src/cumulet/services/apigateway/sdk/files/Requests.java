import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.text.SimpleDateFormat;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TimeZone;
import java.util.TreeMap;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Requests to an API, signed with AWS's Signature Version 4 where that is asked for. */
public final class Requests {
    private final String url;
    private final String region;
    public String apiKey = "";
    public String accessKey = "";
    public String secretKey = "";
    public String sessionToken = "";

    public Requests(String url, String region) {
        this.url = url.endsWith("/") ? url.substring(0, url.length() - 1) : url;
        this.region = region;
    }

    public Answer send(String verb, String path, Map<String, Object> place, Map<String, Object> query,
            Map<String, Object> headers, Object body, String contentType, boolean signed) {
        String target = path;
        for (Map.Entry<String, Object> entry : place.entrySet()) {
            String value = String.valueOf(entry.getValue());
            target = target.replace("{" + entry.getKey() + "+}", encode(value).replace("%2F", "/"));
            target = target.replace("{" + entry.getKey() + "}", encode(value));
        }
        List<String> pairs = new ArrayList<>();
        for (Map.Entry<String, Object> entry : query.entrySet()) {
            if (entry.getValue() == null) continue;
            Object value = entry.getValue();
            for (Object each : value instanceof Iterable ? (Iterable<?>) value : Collections.singletonList(value)) {
                pairs.add(encode(entry.getKey()) + "=" + encode(String.valueOf(each)));
            }
        }
        Map<String, String> sent = new LinkedHashMap<>();
        for (Map.Entry<String, Object> entry : headers.entrySet()) {
            if (entry.getValue() != null) sent.put(entry.getKey(), String.valueOf(entry.getValue()));
        }
        byte[] content = body == null ? null : (body instanceof String ? (String) body : Json.write(body)).getBytes(StandardCharsets.UTF_8);
        if (content != null) sent.putIfAbsent("Content-Type", contentType);
        sent.putIfAbsent("Accept", "application/json");
        if (!apiKey.isEmpty()) sent.putIfAbsent("x-api-key", apiKey);
        URI uri = URI.create(url + target + (pairs.isEmpty() ? "" : "?" + String.join("&", pairs)));
        if (signed && !accessKey.isEmpty()) sign(verb, uri, pairs, sent, content == null ? new byte[0] : content);
        try {
            Answer answer = Transport.send(verb, uri, sent, content);
            if (answer.status < 200 || answer.status > 299) throw new ApiException(answer);
            return answer;
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** What came, as maps and lists when it is JSON. */
    static Object decoded(byte[] content) {
        String text = new String(content, StandardCharsets.UTF_8);
        try {
            return text.isEmpty() ? null : Json.read(text);
        } catch (IllegalArgumentException noJson) {
            return text;
        }
    }

    private static String encode(String text) {
        try {
            return URLEncoder.encode(text, "UTF-8").replace("+", "%20").replace("*", "%2A").replace("%7E", "~");
        } catch (IOException never) {
            throw new UncheckedIOException(never);
        }
    }

    private void sign(String verb, URI uri, List<String> pairs, Map<String, String> headers, byte[] content) {
        SimpleDateFormat format = new SimpleDateFormat("yyyyMMdd'T'HHmmss'Z'");
        format.setTimeZone(TimeZone.getTimeZone("UTC"));
        String stamp = format.format(new Date());
        headers.put("X-Amz-Date", stamp);
        if (!sessionToken.isEmpty()) headers.put("X-Amz-Security-Token", sessionToken);
        TreeMap<String, String> lower = new TreeMap<>();
        for (Map.Entry<String, String> entry : headers.entrySet()) lower.put(entry.getKey().toLowerCase(), entry.getValue().trim());
        lower.put("host", uri.getRawAuthority());
        StringBuilder lines = new StringBuilder();
        for (Map.Entry<String, String> entry : lower.entrySet()) lines.append(entry.getKey()).append(':').append(entry.getValue()).append('\n');
        List<String> sorted = new ArrayList<>(pairs);
        Collections.sort(sorted);
        String names = String.join(";", lower.keySet());
        String path = encode(uri.getRawPath()).replace("%2F", "/");
        String canonical = String.join("\n", verb, path, String.join("&", sorted), lines, names, digest(content));
        String scope = stamp.substring(0, 8) + "/" + region + "/execute-api/aws4_request";
        String text = String.join("\n", "AWS4-HMAC-SHA256", stamp, scope, digest(canonical.getBytes(StandardCharsets.UTF_8)));
        byte[] key = ("AWS4" + secretKey).getBytes(StandardCharsets.UTF_8);
        for (String part : scope.split("/")) key = hmac(key, part);
        headers.put("Authorization", "AWS4-HMAC-SHA256 Credential=" + accessKey + "/" + scope + ", SignedHeaders=" + names
                + ", Signature=" + hex(hmac(key, text)));
    }

    private static String digest(byte[] content) {
        try {
            return hex(MessageDigest.getInstance("SHA-256").digest(content));
        } catch (GeneralSecurityException error) {
            throw new IllegalStateException(error);
        }
    }

    private static byte[] hmac(byte[] key, String text) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(key, "HmacSHA256"));
            return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
        } catch (GeneralSecurityException error) {
            throw new IllegalStateException(error);
        }
    }

    private static String hex(byte[] bytes) {
        StringBuilder out = new StringBuilder();
        for (byte each : bytes) out.append(String.format("%02x", each));
        return out.toString();
    }
}
