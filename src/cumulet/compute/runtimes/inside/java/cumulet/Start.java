package cumulet;

import java.io.ByteArrayOutputStream;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Starts AWS's runtime interface client with the handler of _HANDLER: at once or, as `ahead`, when the function is known.
 *
 * Ahead, it loads what every function needs, says so on descriptor 3, and takes the function's environment from
 * descriptor 4: NAME=VALUE, with a NUL after each. Both are pipes. The class is kept compiled beside its source, for Java 8:
 * `javac --release 8 -g:none cumulet/Start.java`.
 */
public final class Start {
    private static final int START_OF_STACK = 28 - 3;
    private static final int START_OF_ENVIRONMENT = 50 - 3;
    private static final int END_OF_ENVIRONMENT = 51 - 3;
    private static final String CLIENT = "com.amazonaws.services.lambda.runtime.api.client.";
    private static final String[] INITIALISED = {
        CLIENT + "LambdaRequestHandler",
        CLIENT + "PojoSerializerLoader",
        CLIENT + "UserFault",
        CLIENT + "logging.LambdaContextLogger",
        CLIENT + "logging.StdOutLogSink",
        CLIENT + "logging.TextLogFormatter",
        CLIENT + "runtimeapi.dto.InvocationRequest",
        CLIENT + "util.LambdaOutputStream",
        "com.amazonaws.services.lambda.runtime.LambdaRuntime",
        "com.amazonaws.services.lambda.runtime.serialization.factories.GsonFactory",
        "com.amazonaws.services.lambda.runtime.serialization.factories.JacksonFactory",
    };
    private static final String[] LOADED = {
        CLIENT + "AWSLambda",
        CLIENT + "CustomerClassLoader",
        CLIENT + "EventHandlerLoader",
        CLIENT + "HandlerInfo",
        CLIENT + "LambdaEnvironment",
        CLIENT + "api.LambdaContext",
        CLIENT + "runtimeapi.LambdaRuntimeApiClientImpl",
    };

    private Start() {}

    public static void main(String[] arguments) throws Throwable {
        if (arguments.length > 0 && arguments[0].equals("ahead")) {
            rehearse();
            byte[] text = receive();
            if (text.length == 0) {
                return;
            }
            Map<String, String> environment = parse(text);
            show(environment);
            try (RandomAccessFile memory = new RandomAccessFile("/proc/self/mem", "rw")) {
                replaceBlock(memory, environment);
            } catch (IOException none) {
                System.err.println("Child processes do not see the function's environment: " + none.getMessage());
            }
        } else {
            show(parse(read("/proc/self/environ"))); // as UTF-8, whether or not the machine has LANG's locale
        }
        String[] handler = {System.getenv("_HANDLER")};
        try {
            Class.forName(CLIENT + "AWSLambda").getMethod("main", String[].class).invoke(null, (Object) handler);
        } catch (InvocationTargetException thrown) {
            throw thrown.getCause();
        }
    }

    /** Whatever another version of the client does not have costs time later, nothing else. */
    private static void rehearse() {
        ClassLoader loader = Start.class.getClassLoader();
        for (String name : INITIALISED) {
            load(name, true, loader);
        }
        for (String name : LOADED) {
            load(name, false, loader);
        }
        try {
            Class.forName(CLIENT + "runtimeapi.JniHelper").getMethod("load").invoke(null);
        } catch (ReflectiveOperationException none) {
            return;
        }
    }

    private static void load(String name, boolean initialise, ClassLoader loader) {
        try {
            Class.forName(name, initialise, loader);
        } catch (ClassNotFoundException | LinkageError none) {
            return;
        }
    }

    private static byte[] receive() throws IOException {
        try (OutputStream ready = new FileOutputStream("/proc/self/fd/3")) {
            ready.write('\n');
        }
        return read("/proc/self/fd/4");
    }

    private static byte[] read(String path) throws IOException {
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        try (InputStream file = new FileInputStream(path)) {
            byte[] part = new byte[1 << 13];
            for (int size = file.read(part); size >= 0; size = file.read(part)) {
                text.write(part, 0, size);
            }
        }
        return text.toByteArray();
    }

    private static Map<String, String> parse(byte[] text) {
        Map<String, String> environment = new LinkedHashMap<>();
        for (String entry : new String(text, StandardCharsets.UTF_8).split("\0")) {
            int end = entry.indexOf('=');
            if (end > 0) {
                environment.put(entry.substring(0, end), entry.substring(end + 1));
            }
        }
        return environment;
    }

    /** Make it what System.getenv() gives. */
    @SuppressWarnings("unchecked")
    private static void show(Map<String, String> environment) throws ReflectiveOperationException {
        Map<String, String> shown = System.getenv();
        Field field = shown.getClass().getDeclaredField("m");
        field.setAccessible(true);
        Map<String, String> own = (Map<String, String>) field.get(shown);
        own.clear();
        own.putAll(environment);
    }

    /**
     * Have child processes and native code see it. The kernel left the count of arguments, their addresses, 0, the addresses
     * of the variables, and 0 at the start of the stack. There is room for as many variables, and as much text, as this was
     * started with.
     */
    private static void replaceBlock(RandomAccessFile memory, Map<String, String> environment) throws IOException {
        String[] fields = status();
        long stack = Long.parseLong(fields[START_OF_STACK]);
        long text = Long.parseLong(fields[START_OF_ENVIRONMENT]);
        long end = Long.parseLong(fields[END_OF_ENVIRONMENT]);
        byte[] word = new byte[Long.BYTES];
        ByteBuffer number = ByteBuffer.wrap(word).order(ByteOrder.nativeOrder());
        memory.seek(stack);
        memory.readFully(word);
        long addresses = stack + Long.BYTES * (number.getLong(0) + 2);
        for (Map.Entry<String, String> variable : environment.entrySet()) {
            byte[] entry = (variable.getKey() + "=" + variable.getValue() + "\0").getBytes(StandardCharsets.UTF_8);
            memory.seek(addresses);
            memory.readFully(word);
            if (number.getLong(0) == 0 || text + entry.length > end) {
                return;
            }
            memory.seek(text);
            memory.write(entry);
            number.putLong(0, text);
            memory.seek(addresses);
            memory.write(word);
            text += entry.length;
            addresses += Long.BYTES;
        }
        memory.seek(addresses);
        memory.write(new byte[Long.BYTES]);
    }

    /** What /proc/self/stat says behind the name, which may hold anything. */
    private static String[] status() throws IOException {
        String line = new String(read("/proc/self/stat"), StandardCharsets.US_ASCII);
        return line.substring(line.lastIndexOf(')') + 2).trim().split(" ");
    }
}
