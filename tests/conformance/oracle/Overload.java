package oracle;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.Objects;

/**
 * Calls the overload of a DSL method that takes exactly the arguments that are there: an absent one is not passed, not
 * passed as null.
 */
final class Overload {
    private Overload() {}

    static Object call(final Object target, final String name, final Object... optional) {
        final Object[] args = Arrays.stream(optional).filter(Objects::nonNull).toArray();
        Class<?> type = target.getClass();
        while (type != null) {
            for (final Class<?> face : type.getInterfaces()) {
                for (final Method method : face.getMethods()) {
                    if (method.getName().equals(name) && accepts(method, args)) {
                        return invoke(method, target, args);
                    }
                }
            }
            type = type.getSuperclass();
        }
        throw new Misread("no " + name + Arrays.toString(Arrays.stream(args).map(Object::getClass).toArray()) + " on " + target);
    }

    private static boolean accepts(final Method method, final Object[] args) {
        final Class<?>[] types = method.getParameterTypes();
        if (types.length != args.length) {
            return false;
        }
        for (int i = 0; i < types.length; i++) {
            if (!types[i].isInstance(args[i])) {
                return false;
            }
        }
        return true;
    }

    private static Object invoke(final Method method, final Object target, final Object[] args) {
        try {
            return method.invoke(target, args);
        } catch (final InvocationTargetException thrown) {
            if (thrown.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            throw new IllegalStateException(thrown);
        } catch (final IllegalAccessException denied) {
            throw new IllegalStateException(denied);
        }
    }
}
