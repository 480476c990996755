import java.util.List;
import java.util.Map;

/** What the API answered: `data` is maps and lists, or a text when it is no JSON. */
public final class Answer {
    public final int status;
    public final Map<String, List<String>> headers;
    public final Object data;

    public Answer(int status, Map<String, List<String>> headers, Object data) {
        this.status = status;
        this.headers = headers;
        this.data = data;
    }
}
