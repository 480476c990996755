package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.Map;

/** A greeting in Java. */
public final class Greet implements RequestHandler<Map<String, String>, Map<String, String>> {
    @Override
    public Map<String, String> handleRequest(Map<String, String> event, Context context) {
        String name = event.get("name");
        if (name == null) {
            throw new IllegalArgumentException("nobody to greet");
        }
        System.out.println("greeting " + name);
        return Map.of(
                "message", "Hello " + name, "function", context.getFunctionName(), "request", context.getAwsRequestId());
    }
}
