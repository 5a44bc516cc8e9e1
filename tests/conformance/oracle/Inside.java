package oracle;

import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;

/** Private parts of Kafka's classes, by name: the test driver shows neither the order of all records nor a restart. */
final class Inside {
    private Inside() {}

    @SuppressWarnings("unchecked")
    static <T> T get(final Object owner, final String field) {
        try {
            return (T) field(owner, field).get(owner);
        } catch (final IllegalAccessException denied) {
            throw new IllegalStateException(denied);
        }
    }

    static void set(final Object owner, final String field, final Object value) {
        try {
            field(owner, field).set(owner, value);
        } catch (final IllegalAccessException denied) {
            throw new IllegalStateException(denied);
        }
    }

    private static Field field(final Object owner, final String name) {
        Class<?> type = owner.getClass();
        while (type != null) {
            try {
                final Field found = type.getDeclaredField(name);
                found.setAccessible(true);
                return found;
            } catch (final NoSuchFieldException absent) {
                type = type.getSuperclass();
            }
        }
        throw new IllegalStateException("no field " + name + " in " + owner.getClass());
    }

    /** Calls the method of this name and number of parameters. */
    static Object call(final Object owner, final String name, final Object... args) {
        Class<?> type = owner.getClass();
        while (type != null) {
            for (final Method method : type.getDeclaredMethods()) {
                if (method.getName().equals(name) && method.getParameterCount() == args.length && fits(method, args)) {
                    return invoke(method, owner, args);
                }
            }
            type = type.getSuperclass();
        }
        throw new IllegalStateException("no method " + name + " in " + owner.getClass());
    }

    private static boolean fits(final Method method, final Object[] args) {
        final Class<?>[] types = method.getParameterTypes();
        for (int i = 0; i < args.length; i++) {
            if (args[i] != null && !types[i].isPrimitive() && !types[i].isInstance(args[i])) {
                return false;
            }
        }
        return true;
    }

    private static Object invoke(final Method method, final Object owner, final Object[] args) {
        try {
            method.setAccessible(true);
            return method.invoke(owner, args);
        } catch (final InvocationTargetException thrown) {
            if (thrown.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            if (thrown.getCause() instanceof Error cause) {
                throw cause;
            }
            throw new IllegalStateException(thrown.getCause());
        } catch (final IllegalAccessException denied) {
            throw new IllegalStateException(denied);
        }
    }
}
