package io.github.kdtf.books.readinglists;

import android.util.JsonReader;
import android.util.JsonToken;
import io.github.kdtf.books.readinglists.ReadingListException.Reason;
import java.io.IOException;
import java.io.StringReader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;

/** The books of a backup of Openreads, as records like those of its CSV export. */
final class OpenreadsBackup {
    private static final List<String> COLUMNS = Arrays.asList("title", "author", "isbn", "status",
            "rating", "tags", "deleted", "readings", "start_date", "finish_date", "date_added");
    private static final List<String> STATUSES =
            Arrays.asList("finished", "in_progress", "planned", "abandoned");
    private static final Pattern WHOLE_NUMBER = Pattern.compile("[0-9]{1,3}(\\.0+)?");

    private final List<List<String>> records = new ArrayList<>();

    private OpenreadsBackup() {
        records.add(COLUMNS);
    }

    /**
     * Records with a header.
     *
     * @param text JSON objects, separated by five at signs; or an array of objects
     */
    static List<List<String>> split(String text) throws ReadingListException {
        OpenreadsBackup backup = new OpenreadsBackup();
        // Old backups have another separator, which tags have too.
        String[] parts = text.trim().startsWith("[") ? new String[] {text}
                : text.replace("}|||||{", "}@@@@@{").split("@@@@@", -1);
        try {
            for (String part : parts) {
                backup.read(part);
            }
        } catch (IOException | RuntimeException error) { // what is no such JSON
            throw new ReadingListException(Reason.DAMAGED_BACKUP);
        }
        return backup.records;
    }

    private void read(String text) throws IOException {
        try (JsonReader json = new JsonReader(new StringReader(text))) {
            if (json.peek() == JsonToken.BEGIN_ARRAY) {
                json.beginArray();
                while (json.hasNext()) {
                    readBook(json);
                }
                json.endArray();
            } else {
                readBook(json);
            }
            if (json.peek() != JsonToken.END_DOCUMENT) {
                throw new IOException("something follows the books");
            }
        }
    }

    private void readBook(JsonReader json) throws IOException {
        String[] cells = new String[COLUMNS.size()];
        Arrays.fill(cells, "");
        boolean hasTitle = false;
        json.beginObject();
        while (json.hasNext()) {
            String name = json.nextName();
            int column = COLUMNS.indexOf(name);
            if (column < 0) {
                json.skipValue();
                continue;
            }
            hasTitle |= name.equals("title") && json.peek() == JsonToken.STRING;
            cells[column] = cell(name, json);
        }
        json.endObject();
        if (!hasTitle) {
            throw new IOException("a book without a title");
        }
        records.add(Arrays.asList(cells));
    }

    private static String cell(String name, JsonReader json) throws IOException {
        JsonToken kind = json.peek();
        if (kind == JsonToken.NUMBER) {
            String number = json.nextString();
            boolean isWhole = WHOLE_NUMBER.matcher(number).matches();
            if (isWhole && name.equals("rating")) {
                return String.valueOf(Double.parseDouble(number) / 10);
            }
            double value = Double.parseDouble(number);
            return isWhole && name.equals("status") && value < STATUSES.size()
                    ? STATUSES.get((int) value) : number;
        }
        if (kind == JsonToken.STRING) {
            return json.nextString().trim();
        }
        if (kind == JsonToken.BOOLEAN) {
            return String.valueOf(json.nextBoolean());
        }
        StringBuilder joined = new StringBuilder();
        if (kind == JsonToken.BEGIN_ARRAY) {
            json.beginArray();
            while (json.hasNext()) {
                if (json.peek() == JsonToken.STRING) {
                    joined.append(joined.length() > 0 ? ";" : "").append(json.nextString());
                } else {
                    json.skipValue();
                }
            }
            json.endArray();
        } else {
            json.skipValue();
        }
        return joined.toString();
    }
}
