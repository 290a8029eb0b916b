"""The words of the register: categories, subjects, places and every enumeration."""
